"""Make the classes of message types in Google's protocol buffer library."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from wallets.chains.protobuf import Kind, Message

_TYPES = {
    Kind.INT64: descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    Kind.INT32: descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    Kind.BOOL: descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    Kind.BYTES: descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    Kind.STRING: descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    Kind.MESSAGE: descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
}


def google_class(kind: Message) -> Any:
    """Make the class of a message type and of those inside it."""
    file = descriptor_pb2.FileDescriptorProto(name="sample.proto", package="sample", syntax="proto3")
    _describe(file, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"sample.{kind.name}"))


def _describe(file: Any, kind: Message) -> None:
    if any(described.name == kind.name for described in file.message_type):
        return
    described = file.message_type.add(name=kind.name)
    _describe_fields(file, described, kind)


def _describe_fields(file: Any, described: Any, kind: Message) -> None:
    for item in kind.fields.values():
        inside = f"{kind.name}." if item.is_map else ""
        described.field.add(
            name=item.name,
            number=item.number,
            type=_TYPES[item.kind],
            label=3 if item.repeated else 1,
            type_name=f".sample.{inside}{item.message.name}" if item.message else None,
        )
        if item.message and item.is_map:
            entry = described.nested_type.add(name=item.message.name, options=descriptor_pb2.MessageOptions(map_entry=True))
            _describe_fields(file, entry, item.message)
        elif item.message:
            _describe(file, item.message)
