"""XML as MuJoCo reads it, or refused where two parsers could read two documents.

MuJoCo's parser knows neither namespaces nor document types nor other encodings. What
it makes of them would not be what was looked at here.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

# Here it becomes spaces, in MuJoCo it stays: the name of another file.
BROKEN_NAME = re.compile(rb"""file\w*\s*=\s*("[^"]*[\t\r\n]|'[^']*[\t\r\n])""")


def parse_xml(path: Path) -> ElementTree.Element:
    """Returns the root of an XML file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no XML, or has what MuJoCo reads in another way.
    """
    content = path.read_bytes()
    if b"<!DOCTYPE" in content:
        raise ValueError(f"{path}: a document type (<!DOCTYPE ...>) is not read")
    # Whatever the file says that it is written in.
    parser = ElementTree.XMLParser(encoding="utf-8")
    try:
        root = ElementTree.fromstring(content, parser)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: no XML in UTF-8: {error}") from error
    if any("{" in name for e in root.iter() for name in (e.tag, *e.attrib)):
        raise ValueError(f"{path}: namespaces (xmlns) are not read")
    if found := BROKEN_NAME.search(content):
        raise ValueError(f"{path}: a file name has a line break or tab: {found[0]!r}")
    return root
