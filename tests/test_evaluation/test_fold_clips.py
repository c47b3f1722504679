import pytest
import torch

from bdq_plugin.datasets import audit_protocol
from bdq_plugin.evaluation.clips import check_fold, check_people, load_fold


def test_a_fold_is_decoded_with_names_labels_and_audit(kth_data) -> None:
    fold = load_fold(kth_data.dataset, 'subsequence', 1)
    assert (fold.train.channels, fold.train.size, fold.train.shortest) == (1, (16, 20), 6)
    # Three people, two actions, two scenarios; of four sub-sequences two train and one tests.
    assert (len(fold.train), len(fold.test)) == (24, 12)
    assert fold.train.values[0][0].dtype == torch.uint8
    assert set(fold.train.persons) == set(fold.identities) and len(set(fold.train.units)) == 2
    assert fold.identities == ('person01', 'person02', 'person03')
    assert fold.names('action') == ('boxing', 'walking')
    assert fold.test.ids[0] == 'person01_boxing_d1_uncomp:108-144'
    assert len(set(fold.test.ids)) == len(fold.test)
    assert len(set(fold.test.groups)) == 12


def row(subject: str, take: int, action: str = 'walk') -> dict:
    return dict(video=f'{subject}{take}.avi', action=action, subject=subject, take=take, camera=0)


def test_a_protocol_without_identity_is_refused_but_for_attributes() -> None:
    audit = audit_protocol(
        dict(
            train=[row('alba', take) for take in (1, 2)],
            test=[row('amel', take) for take in (1, 2)],
        )
    )
    with pytest.raises(ValueError, match="'subject' holds people out of train"):
        check_fold(audit, 'subject', 1)
    check_fold(audit, 'subject', 1, attributes=True)


@pytest.mark.parametrize(('people', 'takes'), [(['alba', 'amel'], [3]), (['alba'], [3, 4])])
def test_too_few_clips_are_refused(people: list[str], takes: list[int]) -> None:
    train = [row(person, take) for person in people for take in (1, 2)]
    test = [row(person, take) for person in people for take in takes]
    with pytest.raises(ValueError, match='two people or more, with two clips each'):
        check_fold(audit_protocol(dict(train=train, test=test)), 'take', 3)


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (dict(type='FormatShape', input_format='NCHW'), 'NCTHW'),
        (dict(type='PackActionInputs'), 'PackSubjectInputs'),
    ],
)
def test_a_pipeline_that_does_not_fit_is_named(kth_data, step: dict, message: str) -> None:
    pipeline = list(kth_data.dataset['pipeline'])
    pipeline[-2 if step['type'] == 'FormatShape' else -1] = step
    with pytest.raises(ValueError, match=message):
        load_fold(dict(kth_data.dataset, pipeline=pipeline), 'subsequence', 1)


def test_a_fold_with_one_unit_left_is_refused(kth_data) -> None:
    # Of two scenarios one tests: in the other nothing can be left out to choose by.
    with pytest.raises(ValueError, match='all training clips are of one unit'):
        load_fold(kth_data.dataset, 'scenario', 1)


class Listed:
    """A training data set as far as its people are looked at."""

    metainfo = dict(classes=['walk', 'wave'])

    def __init__(self, *items: tuple[str, str, int]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def get_data_info(self, index: int) -> dict:
        person, unit, label = self.items[index]
        return dict(subject_name=person, held_out=unit, label=label)


def test_people_and_actions_of_whom_too_little_is_there_are_named() -> None:
    both = [(person, unit, 0) for person in ('alba', 'amel') for unit in ('1', '2')]
    check_people(Listed(*both))
    with pytest.raises(ValueError, match='^chiara: training clips of a single unit'):
        check_people(Listed(*both, ('chiara', '1', 0)))
    with pytest.raises(ValueError, match='^wave: a single training clip'):
        check_people(Listed(*both, ('alba', '1', 1)))
