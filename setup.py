"""Install bdq_plugin: `pip install -e .` in a checkout, or `make install` for the pinned stack."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
version: dict[str, str] = {}
exec((HERE / 'bdq_plugin' / 'version.py').read_text(), version)

setup(
    name='bdq_plugin',
    version=version['__version__'],
    description='BDQ, a privacy-preserving video encoder, as a plug-in for MMAction2',
    long_description=(HERE / 'README.md').read_text() if (HERE / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    packages=find_packages(include=['bdq_plugin', 'bdq_plugin.*']),
    package_data={'bdq_plugin': ['datasets/index/*.txt', 'encoders/zoo/*.json']},
    python_requires='>=3.10,<3.13',
    install_requires=[
        'torch>=2.6',
        'torchvision',
        'mmengine>=0.11.0rc3',
        'mmcv-lite>=2.1.0,<2.2.0',
        'mmaction2==1.2.0',
        'decord>=0.6.0',
        'numpy',
        'tensorboard',
        # Imported by mmaction2 without being declared.
        'importlib_metadata',
        # Reads the videos that decord misreads, such as IXMAS's 48-pixel rows.
        'av>=12',
        'matplotlib',
    ],
    extras_require={
        # Beside a camera: `pip install --no-deps bdq_plugin` and these.
        'deploy': ['numpy', 'opencv-python', 'av>=12', 'numba', 'zstandard'],
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'test': ['pytest', 'hypothesis', 'ruff', 'nbformat', 'nbclient', 'ipykernel'],
    },
)
