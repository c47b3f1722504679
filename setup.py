"""Install bdq_plugin: `pip install -e .` in a checkout, or `make install` for the locked stack."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
version: dict[str, str] = {}
exec((HERE / 'bdq_plugin' / 'version.py').read_text(), version)


class BuildWithRecipes(build_py):
    """Put recipes and tools into the wheel where OpenMMLab's `mim` looks for them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a checkout has them beside the package
            return
        mim = Path(self.build_lib, 'bdq_plugin', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        # tools/stress tests a checkout.
        unwanted = shutil.ignore_patterns('__pycache__', '.*', 'stress')
        for folder in ('configs', 'tools'):
            shutil.copytree(HERE / folder, mim / folder, ignore=unwanted)
        shutil.copy(HERE / 'model-index.yml', mim)


def deploy_requirements() -> list[str]:
    """What the encoder needs beside a camera; the same list is locked for it."""
    lines = (HERE / 'requirements' / 'deploy.in').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='bdq_plugin',
    version=version['__version__'],
    license='Apache-2.0',
    license_files=['LICENSE', 'NOTICE'],
    description='BDQ, a privacy-preserving video encoder, as a plug-in for MMAction2',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['bdq_plugin', 'bdq_plugin.*']),
    package_data={
        'bdq_plugin': [
            'datasets/index/*.txt',
            'encoders/zoo/*.json',
            'encoders/zoo/cards/*',
            'models/zoo/*.safetensors',
            'deploy/c/*',
            'deploy/web/*',
        ]
    },
    cmdclass={'build_py': BuildWithRecipes},
    # Training: 3.10 to 3.12. Up to 3.14 what the extra `camera` installs.
    python_requires='>=3.10,<3.15',
    # Ranges: what the code needs. requirements/lock.txt has the versions that it was tested with.
    install_requires=[
        'torch>=2.6',
        'torchvision',
        'mmengine>=0.11.0rc3,<1',
        # mmaction2 refuses mmcv 2.2.
        'mmcv-lite>=2.1.0,<2.2',
        'mmaction2>=1.2.0,<1.3',
        'decord>=0.6.0',
        'numpy',
        'scipy',
        # The audit's attackers with hand-made features.
        'scikit-learn',
        'opencv-python',
        'pillow',
        'matplotlib',
        'tensorboard',
        # Trained networks in files that can carry no code.
        'safetensors',
        # Imported by mmaction2 without being declared.
        'importlib_metadata',
        # Decodes every video here; decord misreads 48-pixel rows and crashes on damaged files.
        'av>=17,<19',
    ],
    extras_require={
        # Beside a camera, without torch: `pip install --no-deps bdq_plugin` and these.
        'deploy': deploy_requirements(),
        # The least of it, for files and addresses: 200 MB on disk.
        'camera': ['numpy', 'av>=17,<19', 'zstandard'],
        # Actions to a broker (tools/recognize.py --mqtt).
        'mqtt': ['paho-mqtt>=2'],
        # Searches an encoder's numbers: tools/search_encoder.py.
        'search': ['optuna'],
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'test': [
            'pytest',
            'pytest-xdist',
            'hypothesis',
            'ruff',
            'nbformat',
            'nbclient',
            'ipykernel',
            'build',
        ],
    },
)
