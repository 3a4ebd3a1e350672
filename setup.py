"""The package's metadata; the tools' settings are in ``pyproject.toml``."""

from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="txtokensock",
    version=run_path(str(HERE / "txtokensock" / "version.py"))["__version__"],
    description="token-sockjs for Twisted: RPC and publish/subscribe over SockJS",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # find_packages() would miss twisted.plugins: it is a directory of Twisted's
    # own package and must never hold an __init__.py of ours.
    packages=[*find_packages(include=["txtokensock", "txtokensock.*"]), "twisted.plugins"],
    package_data={"txtokensock": ["py.typed"], "twisted.plugins": ["txtokensock_plugin.py"]},
    install_requires=[
        "Twisted[tls]>=25.5",
        # Parts of Twisted[tls]; these are the first to take each other's certificates.
        "pyOpenSSL>=24.3",
        "cryptography>=42",
        "service_identity>=24.1",
        "autobahn>=24.4",
        "treq>=25.5",
        "h11>=0.16",
        "idna>=3.7",
        "msgspec>=0.19",
        "zope.interface>=6",
    ],
    extras_require={
        # hiredis is no must for txredisapi, but reads three times as many messages.
        "redis": ["txredisapi>=1.6", "hiredis>=3"],
        "metrics": ["prometheus_client>=0.20"],
        "socks": [],  # needs nothing more; the name stays for those who ask for it
        "bridge": ["klein>=23.12", "prometheus_client>=0.20"],
        "test": [
            "txtokensock[redis,metrics,bridge]",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "pytest-cov>=6",
            "hypothesis>=6.100",
            # A client of Crossbar's HTTP bridge, which has nothing to do with us.
            "crossbarhttp3>=1.1",
        ],
        "dev": ["ruff>=0.12", "mypy>=1.16", "mypy-zope>=1.0.11", "pyright>=1.1.400", "build>=1.2"],
        # What "make bench" compares with, and draws with.
        "bench": ["psutil", "matplotlib", "websockets>=14", "python-socketio>=5", "aiohttp>=3.9"],
        "docs": [
            "sphinx>=8",
            "furo>=2024.8",
            "sphinxcontrib-zopeext>=0.4.3",
            "sphinxcontrib-towncrier>=0.4",
        ],
    },
    entry_points={"console_scripts": ["tokensock = txtokensock.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Internet :: WWW/HTTP",
        "Typing :: Typed",
    ],
)
