#!/usr/bin/env python3
"""Train by config: python tools/train.py CONFIG [--resume] [--amp] [--cfg-options ...]"""

from bdq_plugin.engine.command_line import config_of, parse_training
from bdq_plugin.engine.first_checks import one_sentence
from bdq_plugin.engine.launch import train


def main() -> None:
    args = parse_training()
    with one_sentence():
        train(config_of(args))


if __name__ == '__main__':
    main()
