#!/usr/bin/env python3
"""Test by config: python tools/test.py configs/bdq_kth.py work_dirs/bdq_kth/epoch_50.pth"""

from bdq_plugin.engine.command_line import config_of, parse_test
from bdq_plugin.engine.first_checks import one_sentence
from bdq_plugin.engine.launch import test


def main() -> None:
    args = parse_test()
    with one_sentence():
        test(config_of(args), args.checkpoint, args.out)


if __name__ == '__main__':
    main()
