from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Receipt(_message.Message):
    __slots__ = ("first_seq", "last_seq", "tree_size", "root", "signature", "key_id", "origin", "stored", "duplicates", "skipped")
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    last_seq: int
    tree_size: int
    root: bytes
    signature: bytes
    key_id: int
    origin: str
    stored: int
    duplicates: int
    skipped: int
    def __init__(self, first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., tree_size: _Optional[int] = ..., root: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., key_id: _Optional[int] = ..., origin: _Optional[str] = ..., stored: _Optional[int] = ..., duplicates: _Optional[int] = ..., skipped: _Optional[int] = ...) -> None: ...
