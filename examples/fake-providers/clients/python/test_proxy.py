"""The providers' Python clients work through apiflow's raw proxy: only their address and their token are changed."""

import io
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import openai
import replicate

STAND_IN = os.environ["FAKE_PROVIDERS_BIN"]
SERVER = os.environ["APIFLOW_BIN"]
# The providers' key, which no client gets to see.
KEY = "canary-of-the-key"
PASSWORD = "correct horse battery"
KONTEXT = "black-forest-labs/flux-kontext-pro"
LLAMA = "meta/meta-llama-3-8b-instruct"


def call(url, body=None, token=None):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as response:
        return json.load(response)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_ready(url):
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class ThroughTheProxy(unittest.TestCase):
    """Stand-ins, and a server with a connector to each."""

    @classmethod
    def setUpClass(cls):
        stand_in = subprocess.Popen([STAND_IN, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end, stand_in)
        cls.origin = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", stand_in.stdout.readline())[1]
        host = cls.origin.removeprefix("http://")
        call(f"{cls.origin}/_control/openai", {"delay_ms": 50, "require_key": KEY})
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        address = f"127.0.0.1:{free_port()}"
        settings = {
            "APIFLOW_LISTEN": address,
            "PUBLIC_API_URL": f"http://{address}",
            "APIFLOW_DATA": folder.name,
            "ADMIN_PASSWORD": PASSWORD,
            "APIFLOW_ALLOW_HOSTS": host,
            "APIFLOW_SECRETS_FROM_ENV": f"PROVIDER_KEY@{host}",
            "PROVIDER_KEY": KEY,
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen([SERVER, "serve"], cwd=folder.name, env=os.environ | settings, **quiet)
        cls.addClassCleanup(cls.end, server)
        wait_until_ready(f"http://{address}/readyz")
        cls.api = f"http://{address}/api/v1"
        cls.token = call(f"{cls.api}/login", {"username": "admin", "password": PASSWORD})["token"]
        # The client of Replicate writes `/v1` itself.
        for provider, path in [("replicate", ""), ("openai", "/openai/v1")]:
            header = {"Authorization": "Bearer $PROVIDER_KEY"}
            connector = {"id": provider, "name": provider, "base_url": cls.origin + path, "header": header}
            call(f"{cls.api}/connectors", connector, cls.token)

    @staticmethod
    def end(process):
        process.terminate()
        process.wait(30)
        if process.stdout:
            process.stdout.close()

    def url(self, provider):
        return f"{self.api}/proxy/{provider}"

    def calls(self, provider):
        return call(f"{self.api}/calls?connector={provider}&limit=500", token=self.token)["items"]

    def test_replicate_runs_waits_streams_cancels_and_uploads_files(self):
        client = replicate.Client(api_token=self.token, base_url=self.url("replicate"))
        output = client.run(KONTEXT, input={"prompt": "a hat"}, use_file_output=False)
        self.assertRegex(output, r"^https://replicate\.delivery/")
        prediction = client.models.predictions.create(KONTEXT, input={"prompt": "a hat"})
        prediction.wait()
        self.assertEqual(prediction.status, "succeeded")
        words = "".join(str(event) for event in client.stream(LLAMA, input={"prompt": "a hat"}))
        self.assertIn("You said: a hat", words)
        cancelled = client.models.predictions.create(KONTEXT, input={"prompt": "a hat"})
        client.predictions.cancel(cancelled.id)
        content = io.BytesIO(b"a small file")
        content.name = "small.txt"
        file = client.files.create(content, metadata={"kind": "test"})
        self.assertEqual((file.size, client.files.get(file.id).metadata["kind"]), (12, "test"))
        creates = call(f"{self.origin}/_control/stats")["create_calls"]
        self.assertEqual(len(creates), 4)
        for create in creates:
            self.assertTrue(create["headers"]["user-agent"].startswith("replicate-python/"), create["headers"])
        upload = next(made for made in self.calls("replicate") if made["path"] == "/v1/files")
        self.assertGreater(upload["bytes_sent"], 12)

    def test_openai_makes_images_streams_speech_and_uploads_recordings(self):
        client = openai.OpenAI(api_key=self.token, base_url=self.url("openai"))
        made = client.images.generate(model="gpt-image-1", prompt="a person")
        self.assertTrue(made.data[0].b64_json.startswith("iVBORw0KGgo"))
        speech = {"model": "tts-1", "voice": "alloy", "input": "hello"}
        with client.audio.speech.with_streaming_response.create(**speech) as response:
            audio = b"".join(response.iter_bytes())
        self.assertEqual(audio[:3], b"ID3")
        recording = ("talk.mp3", b"\0" * 100_000, "audio/mpeg")
        transcription = client.audio.transcriptions.create(model="whisper-1", file=recording)
        self.assertEqual(transcription.text, "You sent 100000 bytes of talk.mp3.")
        self.assertEqual(call(f"{self.origin}/_control/openai/stats")["accepted"], 3)
        statuses = [made["status"] for made in self.calls("openai")]
        self.assertEqual(statuses, [200, 200, 200])


if __name__ == "__main__":
    unittest.main()
