from audit_receiver.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordReceipt(_message.Message):
    __slots__ = ("record_id", "status", "integrity_hash", "sink_timestamp", "seq", "duplicate", "verify_status")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    INTEGRITY_HASH_FIELD_NUMBER: _ClassVar[int]
    SINK_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    VERIFY_STATUS_FIELD_NUMBER: _ClassVar[int]
    record_id: str
    status: str
    integrity_hash: bytes
    sink_timestamp: int
    seq: int
    duplicate: bool
    verify_status: str
    def __init__(self, record_id: _Optional[str] = ..., status: _Optional[str] = ..., integrity_hash: _Optional[bytes] = ..., sink_timestamp: _Optional[int] = ..., seq: _Optional[int] = ..., duplicate: _Optional[bool] = ..., verify_status: _Optional[str] = ...) -> None: ...

class AuditResponse(_message.Message):
    __slots__ = ("batch_id", "status", "records", "records_left_out", "receipt")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    status: str
    records: _containers.RepeatedCompositeFieldContainer[RecordReceipt]
    records_left_out: bool
    receipt: _receipt_pb2.Receipt
    def __init__(self, batch_id: _Optional[str] = ..., status: _Optional[str] = ..., records: _Optional[_Iterable[_Union[RecordReceipt, _Mapping]]] = ..., records_left_out: _Optional[bool] = ..., receipt: _Optional[_Union[_receipt_pb2.Receipt, _Mapping]] = ...) -> None: ...
