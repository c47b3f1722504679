#!/usr/bin/env python3
"""Train by config: python tools/train.py CONFIG [--resume] [--amp] [--cfg-options ...]"""

from bdq_plugin.engine.command_line import config_of, parse_training
from bdq_plugin.engine.launch import train


def main() -> None:
    train(config_of(parse_training()))


if __name__ == '__main__':
    main()
