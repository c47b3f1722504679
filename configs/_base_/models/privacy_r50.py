# The paper's privacy network: a ResNet-50 on single frames, ImageNet weights.
privacy_weights = 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
privacy_network = dict(
    type='PrivacyRecognizer',
    backbone=dict(type='ResNet', depth=50, pretrained=privacy_weights, norm_eval=False),
)
