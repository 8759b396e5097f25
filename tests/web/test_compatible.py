"""The interfaces of Ollama and OpenAI, used by their own clients."""

import base64
import socket
import threading
import time

import ollama
import openai
import pytest
from cli.double import Double
from web.test_app import calls, client, photo

from captioner.cli.serve import LOCAL
from captioner.web.app import new_app
from captioner.web.connections import new_server

__all__ = ["calls", "client"]
CAPTION, ANSWER = "A picture <7>", "yes <7>"
PROMPTS = [
    ("Describe this photograph in one sentence.", CAPTION),
    ("", CAPTION),
    ("Is it red? Answer as a list.", CAPTION),
    ("? ", CAPTION),
    ("is " * 400 + "it red?", CAPTION),
    ("is it red?", ANSWER),
    ("  What is it?\n", ANSWER),
]


@pytest.fixture
def address(calls, tmp_path):
    """Of a server in a thread."""

    server = new_server(new_app("some/toy", Double(), LOCAL))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def of_ollama(address):
    with ollama.Client(address) as client:
        yield client


@pytest.fixture
def of_openai(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def url(red=7):
    return f"data:image/png;base64,{base64.b64encode(photo(red)).decode()}"


def message(prompt, *urls):
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": prompt}, *images]}


@pytest.mark.parametrize(("prompt", "text"), PROMPTS)
def test_ollama_generates(of_ollama, prompt, text):
    found = of_ollama.generate("any", prompt, images=[photo(7)])
    assert (found.response, found.model, found.done) == (text, "toy", True)
    assert (found.done_reason, found.eval_count) == ("stop", 1)
    streamed = list(of_ollama.generate("any", prompt, images=[photo(7)], stream=True))
    assert [part.done for part in streamed] == [False, True]
    assert "".join(part.response for part in streamed) == text


@pytest.mark.parametrize(("prompt", "text"), PROMPTS)
def test_ollama_chats(of_ollama, prompt, text):
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Caption it.", "images": [photo(7)]},
        {"role": "assistant", "content": "A picture."},
        {"role": "user", "content": prompt},
    ]
    found = of_ollama.chat("toy", messages)
    assert (found.message.role, found.message.content, found.done) == ("assistant", text, True)
    streamed = list(of_ollama.chat("toy", messages, stream=True))
    assert [part.done for part in streamed] == [False, True]
    assert "".join(part.message.content for part in streamed) == text


def test_ollama_lists_and_loads_the_model(of_ollama):
    assert [model.model for model in of_ollama.list().models] == ["toy"]
    assert of_ollama.generate("toy").done_reason == "load"


def test_several_photographs_have_a_line_each_and_equal_lines_one(of_ollama):
    found = of_ollama.generate("toy", "Compare.", images=[photo(7), photo(8), photo(7)])
    assert found.response == "A picture <7>\nA picture <8>"


def test_ollama_tells_what_is_refused(of_ollama):
    for asked, error in (
        ({"prompt": "Hello."}, "no photograph: send images in base64"),
        ({"images": [photo()] * 17}, "more than 16 photographs"),
        ({"images": [b"none"]}, "the photograph: empty or not an image"),
    ):
        with pytest.raises(ollama.ResponseError, match=error) as raised:
            of_ollama.generate("toy", **asked)
        assert raised.value.status_code == 422


@pytest.mark.parametrize(("prompt", "text"), PROMPTS)
def test_openai_completes(of_openai, prompt, text):
    messages = [{"role": "system", "content": "Be short."}, message(prompt, url())]
    found = of_openai.chat.completions.create(model="gpt-4o", messages=messages, max_tokens=9)
    assert (found.choices[0].message.content, found.model) == (text, "toy")
    assert (found.choices[0].finish_reason, found.usage.total_tokens) == ("stop", 1)
    streamed = of_openai.chat.completions.create(model="toy", messages=messages, stream=True)
    choices = [part.choices[0] for part in streamed]
    assert "".join(choice.delta.content or "" for choice in choices) == text
    assert [choice.finish_reason for choice in choices] == [None, "stop"]


def test_openai_lists_the_model(of_openai):
    assert [model.id for model in of_openai.models.list()] == ["toy"]


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([message("Hello.")], "no photograph"),
        ([message("See", "https://example.com/a.jpg")], "an address, which is not fetched"),
        ([message("See", "data:image/png;base64,?")], "an image is not base64"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "neither text nor image_url"),
        ([], "messages are missing"),
    ],
)
def test_openai_tells_what_is_refused(of_openai, messages, error):
    with pytest.raises(openai.UnprocessableEntityError, match=error) as raised:
        of_openai.chat.completions.create(model="toy", messages=messages)
    assert raised.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"prompt": 3, "images": ["aaaa"]}),
        ("/api/generate", {"prompt": "a", "images": "aaaa"}),
        ("/api/generate", {"prompt": "a", "images": [3]}),
        ("/api/chat", {"messages": 3}),
        ("/api/chat", {"messages": [3]}),
        ("/api/chat", {"messages": [{"content": 3, "images": ["aaaa"]}]}),
        ("/v1/chat/completions", {"messages": [{"content": [3]}]}),
        ("/v1/chat/completions", {"messages": [{"content": [{"type": "image_url"}]}]}),
    ],
)
def test_fields_of_other_types_are_refused(client, path, body):
    assert client.post(path, json=body).status_code == 422
