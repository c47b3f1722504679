# The small game with another label to be hidden: which hand a person uses. The annotation needs a
# column `hand` with a value for every clip.
_base_ = ['../../configs/bdq_own_cpu.py']
train_dataloader = dict(dataset=dict(privacy='hand'))
val_dataloader = dict(dataset=dict(privacy='hand'))
test_dataloader = dict(dataset=dict(privacy='hand'))
