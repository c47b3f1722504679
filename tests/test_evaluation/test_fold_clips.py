import pytest
import torch

from bdq_plugin.datasets import audit_protocol
from bdq_plugin.evaluation.clips import (
    check_fold,
    check_people,
    load_fold,
)


def test_a_fold_is_decoded_with_names_labels_and_audit(kth_data) -> None:
    fold = load_fold(kth_data.dataset, 'subsequence', 1)
    assert fold.train.size == fold.test.size == (16, 20) and fold.train.channels == 1
    assert (len(fold.train), len(fold.test)) == (24, 12) and fold.train.shortest == 6
    assert fold.train.values[0][0].dtype == torch.uint8
    assert set(fold.train.units) == {'1', '2'} and set(fold.test.persons) == set(fold.identities)
    assert fold.identities == ('person01', 'person02', 'person03')
    assert fold.names('action') == ('boxing', 'walking')
    assert fold.test.ids[0].startswith('person01_boxing_d1_uncomp:')
    assert len(set(fold.test.ids)) == len(fold.test)
    assert set(fold.test.lengths.tolist()) == {36}


def row(subject: str, take: int, action: str = 'walk') -> dict:
    return dict(video=f'{subject}{take}.avi', action=action, subject=subject, take=take, camera=0)


def test_a_protocol_without_identity_is_refused_but_for_attributes() -> None:
    audit = audit_protocol(
        dict(
            train=[row('alba', take) for take in (1, 2)],
            test=[row('amel', take) for take in (1, 2)],
        )
    )
    with pytest.raises(ValueError, match=r"'subject', fold 1: .* not in train \(amel\)"):
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


def item(subject: str, unit: int, label: int = 0) -> dict:
    return dict(subject_name=subject, person=subject, held_out=unit, label=label)


class Rows(list):
    """A training data set of bare items."""

    @property
    def metainfo(self) -> dict:
        return dict(classes=('walk', 'wave'))

    def get_data_info(self, index: int) -> dict:
        return self[index]


def test_a_recipe_needs_two_units_of_everyone_and_two_clips_of_every_action() -> None:
    sound = Rows(
        item(person, take, label) for person in 'ab' for take in (1, 2) for label in (0, 1)
    )
    check_people(sound)
    with pytest.raises(ValueError, match="all training clips are of one unit, '1'"):
        check_people(Rows(row for row in sound if row['held_out'] == 1))
    with pytest.raises(ValueError, match='^b: training clips of a single unit'):
        check_people(Rows(r for r in sound if (r['person'], r['held_out']) != ('b', 2)))
    with pytest.raises(ValueError, match='wave: a single training clip'):
        check_people(Rows([*(r for r in sound if not r['label']), item('a', 1, 1)]))
