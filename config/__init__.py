"""Everything about configuration: `load` a file, get a `Config` or a `ConfigError` that names all of its problems."""

from config.effective import Config
from config.loader import load
from config.problems import ConfigError, Problem, Severity

__all__ = ["Config", "ConfigError", "Problem", "Severity", "load"]
