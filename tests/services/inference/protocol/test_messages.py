"""What a message says is all that the engine is given of it, so that the gates read all of it."""

from services.inference.protocol.messages import Said

CALL = {"id": "call_7", "type": "function", "function": {"name": "find", "arguments": '{"who": "Mara"}'}}


def test_ids_of_tool_calls_are_read() -> None:
    result = Said("messages[2]", "tool", ["Rain."], tool_call_id="call_Mara_Lindqvist")
    assert result.extra["tool_call_id"] in result.text
    assert "Rain." in result.text
    assert "call_7" in Said("messages[1]", "assistant", tool_calls=[CALL]).text


def test_id_that_is_not_handed_on_is_no_text() -> None:
    assert Said("messages[0]", "user", ["Hello!"], tool_call_id="call_7").text == "Hello!"
