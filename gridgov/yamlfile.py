"""Policy files with line numbers, so that a wrong one is refused with file, line and reason."""

from datetime import date
from pathlib import Path as FilePath
from typing import Any

import yaml

from gridgov.errors import PolicyError

Path = tuple[str | int, ...]


class YamlFile:
    """The data of one YAML file, and the line of every key in it."""

    def __init__(self, path: FilePath) -> None:
        self.path = path
        self.lines: dict[Path, int] = {}
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except OSError as error:
            raise PolicyError(path, None, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise PolicyError(path, None, "is not UTF-8") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            raise PolicyError(path, line, error.problem or "is not YAML") from None
        except yaml.reader.ReaderError as error:
            raise PolicyError(path, text.count("\n", 0, error.position) + 1, str(error.reason)) from None
        self.data: Any = self._build(node, ()) if node is not None else {}
        if not isinstance(self.data, dict):
            raise PolicyError(path, 1, "must be a mapping")

    def fail(self, at: Path, reason: str) -> PolicyError:
        """The error for the key at `at`, with its line (or that of the nearest key above)."""
        while at and at not in self.lines:
            at = at[:-1]
        return PolicyError(self.path, self.lines.get(at, 1), reason)

    def need(
        self, at: Path, keys: set[str], optional: frozenset[str] | set[str] = frozenset()
    ) -> dict[str, Any]:
        """The mapping at `at`, which must have `keys`, may have `optional`, and nothing else."""
        value = self.get(at)
        if not isinstance(value, dict):
            raise self.fail(at, f"{at[-1] if at else 'the file'} must be a mapping")
        for key in value:
            if key not in keys and key not in optional:
                raise self.fail(
                    (*at, key), f"unknown key {key!r}; known: {', '.join(sorted(keys | optional))}"
                )
        for key in sorted(keys - set(value)):
            raise self.fail(at, f"{key!r} is missing in {'.'.join(map(str, at)) or 'the file'}")
        return value

    def texts(self, at: Path, *keys: str, null: bool = False) -> None:
        """Refuse a value of these keys of the mapping at `at` that is no text; `null` admits nothing in its place."""
        for key, value in self.get(at).items():
            if key in keys and not isinstance(value, str) and not (null and value is None):
                raise self.fail((*at, key), f"{key} must be a text")

    def names(self, at: Path) -> list[Any]:
        """The keys of the mapping at `at`, which must have some."""
        value = self.get(at)
        if not isinstance(value, dict) or not value:
            raise self.fail(at, f"{at[-1]} must be a mapping with entries")
        return list(value)

    def get(self, at: Path) -> Any:
        """The value at a path of keys."""
        value = self.data
        for key in at:
            value = value[key]
        return value

    def words(self, at: Path) -> dict[str, str]:
        """A text in both languages, `{zh: …, en: …}`."""
        value = self.need(at, {"zh", "en"})
        for language, text in value.items():
            if not isinstance(text, str) or not text.strip():
                raise self.fail((*at, language), "must be a text")
        return value

    def _build(self, node: yaml.Node, at: Path) -> Any:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            result: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = self._scalar(key_node)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str | int) or isinstance(key, bool):
                    raise PolicyError(self.path, line, f"key {key_node.value!r} must be quoted or renamed")
                if key in result:
                    raise PolicyError(self.path, line, f"{key!r} stands here twice")
                self.lines[(*at, key)] = line
                result[key] = self._build(value_node, (*at, key))
            return result
        if isinstance(node, yaml.SequenceNode):
            return [self._build(child, (*at, i)) for i, child in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        """A plain value. A day stays the text it was written as: as a key of calendars.yaml, say."""
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            raise PolicyError(self.path, node.start_mark.line + 1, f"{node.value}: {error}") from None
        return node.value if isinstance(value, date) else value
