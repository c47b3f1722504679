"""Privacy head, privacy recognizer, entropy and the small networks."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from bdq_plugin.models import EntropyLoss, PrivacyHead, SmallConv2d, SmallConv3d
from bdq_plugin.models.privacy_recognizer import frames_of


def samples(labels, field='gt_subject'):
    out = []
    for label in labels:
        sample = ActionDataSample()
        sample.set_field(torch.as_tensor(label).reshape(-1), field)
        out.append(sample)
    return out


class TestEntropyLoss:
    def test_uniform_is_log_of_the_number_of_classes(self):
        assert EntropyLoss()(torch.zeros(3, 10)).item() == pytest.approx(math.log(10))

    def test_certainty_is_zero_even_for_huge_logits(self):
        logits = torch.tensor([[1e4, 0.0, 0.0]], requires_grad=True)
        loss = EntropyLoss()(logits)
        loss.backward()
        assert loss.item() == pytest.approx(0)
        assert torch.isfinite(logits.grad).all()

    def test_known_value_and_weight(self):
        p = torch.tensor([0.7, 0.2, 0.1])
        expected = -(p * p.log()).sum().item()
        assert EntropyLoss(-2.0)(p.log()[None]).item() == pytest.approx(-2 * expected)


class TestPrivacyHead:
    def test_loss_is_cross_entropy_of_logits(self):
        # A softmax before the cross-entropy could not fall below 1.46 for ten classes.
        head = PrivacyHead(10, 4)
        logits = torch.full((2, 10), -20.0)
        logits[0, 3] = logits[1, 7] = 20
        losses = head.loss_by_feat(logits, samples([3, 7]))
        assert losses['loss_subject'].item() == pytest.approx(0, abs=1e-6)
        assert losses['subject_acc'].item() == 1

    def test_predictions_of_frames_are_kept_apart(self):
        head, data = PrivacyHead(3, 4), samples([0, 1])
        logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
        head.predict_by_feat(logits, data)
        assert data[1].pred_subject_score.shape == (4, 3)
        torch.testing.assert_close(data[1].pred_subject_score, logits[4:].softmax(-1))
        assert 'pred_score' not in data[0]

    @pytest.mark.parametrize('label', [12, -1])
    def test_label_outside_the_classes(self, label):
        with pytest.raises(ValueError, match=f'outside.*num_classes=10.* {label} is out of bounds'):
            PrivacyHead(10, 4).loss_by_feat(torch.zeros(1, 10), samples([label]))

    def test_samples_without_subject(self):
        with pytest.raises(ValueError, match='PackSubjectInputs'):
            PrivacyHead(10, 4).loss_by_feat(torch.zeros(1, 10), [ActionDataSample()])

    def test_attributes(self):
        head = PrivacyHead(3, 4, attributes=True)
        data = samples([[1, 0, 1], [0, 0, 1]], 'gt_attributes')
        logits = torch.tensor([[9.0, -9, 9], [-9, -9, 9]])
        losses = head.loss_by_feat(logits, data)
        assert losses['loss_attributes'].item() == pytest.approx(0, abs=1e-3)
        assert losses['attributes_acc'].item() == 1
        head.predict_by_feat(logits, data)
        torch.testing.assert_close(data[0].pred_attribute_score, logits[0].sigmoid())

    def test_one_attribute(self):
        head, data = PrivacyHead(1, 4, attributes=True), samples([1, 0], 'gt_attributes')
        losses = head.loss_by_feat(torch.tensor([[9.0], [9.0]]), data)
        assert losses['loss_attributes'].item() == pytest.approx(4.5, abs=1e-3)
        assert losses['attributes_acc'].item() == 0.5
        head.predict_by_feat(torch.tensor([[9.0], [-9.0], [0.0], [0.0]]), data)
        assert [sample.pred_attribute_score.tolist() for sample in data] == [[0.5], [0.5]]

    def test_another_number_of_attributes(self):
        head, data = PrivacyHead(3, 4, attributes=True), samples([[1, 0]], 'gt_attributes')
        with pytest.raises(ValueError, match='have 2 attributes.*=3; set num_classes=2'):
            head.loss_by_feat(torch.zeros(1, 3), data)


class TestPrivacyRecognizer:
    def build(self):
        return MODELS.build(
            dict(
                type='PrivacyRecognizer',
                backbone=dict(type='SmallConv2d', in_channels=1),
                cls_head=dict(type='PrivacyHead', num_classes=4, in_channels=96),
            )
        )

    def test_frames_of_both_layouts(self):
        clips = torch.arange(2 * 3 * 4 * 5 * 1 * 1).view(2, 3, 4, 5, 1, 1)
        frames = frames_of(clips)
        assert frames.shape == (2, 15, 4, 1, 1)
        assert torch.equal(frames[1, 7], clips[1, 1, :, 2])
        flat = torch.zeros(2, 5, 4, 1, 1)
        assert frames_of(flat) is flat

    def test_predicts_every_frame(self):
        data = self.build().eval()(torch.rand(2, 1, 1, 5, 16, 16), samples([0, 1]), mode='predict')
        assert [s.pred_subject_score.shape for s in data] == [(5, 4), (5, 4)]

    def test_loss_uses_one_frame(self):
        model = self.build()
        losses = model(torch.rand(2, 1, 1, 5, 16, 16), samples([0, 1]), mode='loss')
        assert set(losses) == {'loss_subject', 'subject_acc'}

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match='mode'):
            self.build()(torch.rand(1, 1, 1, 1, 16, 16), mode='train')


@pytest.mark.parametrize(
    ('network', 'shape', 'expected'),
    [
        (SmallConv3d(1), (2, 1, 15, 64, 48), (2, 96, 2, 8, 6)),
        (SmallConv3d(3), (1, 3, 1, 9, 7), (1, 96, 1, 2, 1)),
        (SmallConv2d(1), (2, 1, 64, 48), (2, 96, 8, 6)),
    ],
)
def test_small_networks(network, shape, expected):
    assert network(torch.rand(shape)).shape == expected


def test_small_networks_need_a_stride_for_each_layer():
    with pytest.raises(ValueError, match='2 channels need as many strides'):
        SmallConv2d(1, channels=(8, 8), strides=(1,))
