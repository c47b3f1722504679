# The paper's privacy network: a ResNet-50 on single frames, ImageNet weights. The recipe says how
# many people it tells apart.
privacy_r50 = dict(
    type='PrivacyRecognizer',
    backbone=dict(
        type='ResNet',
        depth=50,
        pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
        norm_eval=False,
    ),
    cls_head=dict(type='PrivacyHead', in_channels=2048),
)
