# SPDX-License-Identifier: Apache-2.0
"""Mutual TLS between controllers and squall-agent, with certificates made by openssl(1) here."""

import http.client
import json
import socket
import ssl
import subprocess
import time
import types

import pytest

from certificates import Authority
from chaos_lab import TOKEN, Agent, app_fault, injected_share, two_gateways
from conftest import BIN, run


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    made = {"ca": Authority(folder, "ca"), "strangers": Authority(folder, "strangers")}
    made["agent"] = made["ca"].issue("agent", "serverAuth", "IP:127.0.0.1,DNS:localhost")
    made["elsewhere"] = made["ca"].issue("elsewhere", "serverAuth", "DNS:elsewhere.example")
    made["controller"] = made["ca"].issue("controller", "clientAuth")
    made["over"] = made["ca"].issue("over", "clientAuth", days=-1)
    made["stranger"] = made["strangers"].issue("stranger", "clientAuth")
    made["old-agent"] = made["ca"].issue("old-agent", "serverAuth", "IP:127.0.0.1", days=-1)
    return made


@pytest.fixture(scope="module", name="platform")
def _platform(tmp_path_factory):
    with two_gateways(tmp_path_factory.mktemp("tls")) as made:
        yield made


class TlsAgent(Agent):
    def __init__(self, platform, folder, pki, cert="agent", ca="ca"):
        self.pki = pki
        extra = ["--tls-cert", pki[cert][0], "--tls-key", pki[cert][1]]
        extra += ["--client-ca", pki[ca].pem] if ca else []
        super().__init__(platform, folder, *map(str, extra))

    def context(self, who="controller"):
        made = ssl.create_default_context(cafile=str(self.pki["ca"].pem))
        if who is not None:
            made.load_cert_chain(*map(str, self.pki[who]))
        return made

    def ask(self, method, path, body=None, token=TOKEN, timeout=20, who="controller"):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                                 context=self.context(who))
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def audit(self):
        lines = [json.loads(line) for line in self.log_file.read_text().splitlines()]
        return [line for line in lines if line["message"] == "audit"]

    def url(self, host="127.0.0.1", scheme="https"):
        return f"{scheme}://{host}:{self.port}"


@pytest.fixture(scope="module", name="agent")
def _agent(platform, pki, tmp_path_factory):
    made = TlsAgent(platform, tmp_path_factory.mktemp("agent"), pki).start()
    yield made
    assert made.terminate() == 0, made.log_file.read_text()


@pytest.mark.parametrize("who, token, words", [
    (None, TOKEN, "no client certificate was presented"),
    ("stranger", TOKEN, "issuer is unknown"),
    ("over", TOKEN, "expired"),
    ("agent", TOKEN, "purpose"),
    ("controller", None, "Bearer"),
    ("controller", "wrong", "Bearer"),
])
def test_who_lacks_certificate_or_token_is_refused_and_written_down(agent, platform, who, token,
                                                                   words):
    before = len(agent.audit())
    spec = app_fault(rate=1.0)
    for method, path, body in [("POST", "/v1/faults", spec), ("GET", "/v1/faults", None),
                               ("POST", "/v1/halt", None)]:
        status, answer = agent.ask(method, path, body, token=token, who=who)
        assert status == 401 and words in answer["error"]["message"], answer
    if "certificate" in words:
        assert "--client-ca" in answer["error"]["message"]
    lines = agent.audit()[before:]
    assert [(line["status"], line["who"], line["event"]) for line in lines] == [(401, None, "end")] * 3
    assert injected_share(platform) == 0
    assert agent.ask("GET", "/v1/health", who=who, token=None)[0] == 200


def test_certificate_and_token_together_are_let_in_and_named(agent, platform):
    spec = app_fault(rate=1.0)
    assert agent.post(spec)[0] == 200
    assert injected_share(platform) == 1.0
    assert agent.delete(spec)[0] == 200
    lines = [line for line in agent.audit() if line["fault"] == spec["id"]]
    assert {line["who"] for line in lines} == {"certificate CN=controller,O=squall and token token"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_are_refused(agent):
    context = agent.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", agent.port), 5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_plain_http_gets_nothing(agent):
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=5)
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.request("POST", "/v1/halt", headers={"Authorization": f"Bearer {TOKEN}"})
        connection.getresponse()
    connection.close()


def halt(agent, url, ca="ca", who="controller"):
    words = ["--agent", url, "--token-file", agent.token_file]
    words += ["--ca", agent.pki[ca].pem] if ca else []
    words += ["--cert", agent.pki[who][0], "--key", agent.pki[who][1]] if who else []
    return run("squall", "halt", *words)


def test_halt_speaks_it(agent):
    done = halt(agent, agent.url())
    assert done.returncode == 0 and "all measured gone" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("change, words", [
    ({"ca": "strangers"}, "CA file must hold who signed"),
    ({"ca": None}, "CA file must hold who signed"),
    ({"who": None}, "certFile and keyFile"),
    ({"who": "stranger"}, "issuer is unknown"),
])
def test_what_is_wrong_with_a_certificate_is_said(agent, change, words):
    done = halt(agent, agent.url(), **change)
    assert done.returncode == 6 and words in done.stdout, done.stdout


def test_an_agent_with_another_name_or_key_is_not_spoken_to(platform, pki, tmp_path):
    other = TlsAgent(platform, tmp_path, pki, cert="elsewhere", ca=None).start()
    try:
        done = halt(other, other.url())
        assert done.returncode == 6 and "subjectAltName" in done.stdout, done.stdout
        assert not other.audit(), "the token never left"
        words = ["--agent", other.url(), "--token-file", other.token_file, "--ca", pki["ca"].pem,
                 "--cert", pki["controller"][0], "--key", pki["stranger"][1]]
        done = run("squall", "halt", *words)
        assert done.returncode == 6 and "belong together" in done.stdout, done.stdout
        words[5] = other.token_file
        done = run("squall", "halt", *words)
        assert done.returncode == 6 and "PEM" in done.stdout, done.stdout
        done = halt(other, other.url(scheme="http"))
        assert done.returncode == 6 and "https://" in done.stdout, done.stdout
    finally:
        other.terminate()


def start_agent(tmp_path, listen, *words):
    (tmp_path / "topology.json").write_text(json.dumps({
        "version": 1, "name": "x", "mode": "loopback", "stateDir": str(tmp_path), "agent": None,
        "prometheus": None, "services": []}))
    (tmp_path / "token").write_text("secret\n")
    return subprocess.run([str(BIN / "squall-agent"), "--listen", listen, "--topology",
                           str(tmp_path / "topology.json"), "--journal", str(tmp_path / "j"),
                           *map(str, words)],
                          capture_output=True, text=True, timeout=20, check=False)


def test_listening_elsewhere_needs_a_token_and_tls(tmp_path, pki):
    token = ["--token-file", tmp_path / "token"]
    tls = ["--tls-cert", pki["agent"][0], "--tls-key", pki["agent"][1]]
    for words, what in [([], "--token-file"), (tls, "--token-file"), (token, "--tls-cert")]:
        done = start_agent(tmp_path, "0.0.0.0:0", *words)
        assert done.returncode == 2 and what in done.stderr, done.stderr
        done = start_agent(tmp_path, "[::]:0", *words)
        assert done.returncode == 2 and what in done.stderr, done.stderr
    both = Agent(types.SimpleNamespace(topology_file=tmp_path / "topology.json"), tmp_path,
                 *map(str, tls), listen="0.0.0.0:0").start()
    assert both.terminate() == 0


@pytest.mark.parametrize("cert, key, ca, code, words", [
    ("agent", "controller", None, 5, "made for"),
    ("token", "agent", None, 5, "expected a PEM certificate"),
    ("agent", "token", None, 5, "unencrypted PEM key"),
    ("agent", "agent", "token", 5, "TLS authority"),
    ("missing", "agent", None, 5, "No such file"),
    ("old-agent", "old-agent", None, 5, "was valid until"),
    (None, "agent", None, 5, "need --tls-cert"),
])
def test_files_that_are_wrong_are_named_at_the_start(tmp_path, pki, cert, key, ca, code, words):
    def path(name, index):
        return pki[name][index] if name in pki else tmp_path / name
    options = ["--tls-key", path(key, 1)]
    options += ["--tls-cert", path(cert, 0)] if cert else []
    options += ["--client-ca", path(ca, 0)] if ca else []
    done = start_agent(tmp_path, "127.0.0.1:0", *options)
    assert done.returncode == code and words in done.stderr, done.stderr


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {name: over-tls}
spec:
  duration: 3s
  load:
    service: gateway
    rate: 50/s
    connections: 4
    maxLate: 5s
    routes: [{name: any, path: /health}]
  steadyState: {for: 0s, within: 20s, checks: [{name: up, service: gateway, path: /health}]}
  faults:
    - {name: errors, at: 500ms, for: 1s, lease: 1s, service: gateway, select: one,
       app: {errorRate: 100%, errorStatus: 503}}
"""


def test_a_run_speaks_it(agent, platform, pki, tmp_path):
    topology = json.loads(platform.topology_file.read_text())
    topology["agent"] = {"url": agent.url("localhost"), "tokenFile": str(agent.token_file),
                         "caFile": str(pki["ca"].pem), "certFile": str(pki["controller"][0]),
                         "keyFile": str(pki["controller"][1])}
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    (tmp_path / "s.yaml").write_text(SCENARIO)
    words = ["squall", "run", tmp_path / "s.yaml", "--topology", tmp_path / "topology.json", "--out",
             tmp_path / "runs"]
    began = time.time_ns()
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = list((tmp_path / "runs").glob("*/faults.json"))
    (record,) = json.loads(found[0].read_text())["faults"]
    assert record["state"] == "gone" and record["wasActive"] and record["requestedAtNs"] > began
    assert "CN=controller" in [line for line in agent.audit() if line["fault"] == record["id"]][0]["who"]
    del topology["agent"]["certFile"]
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    (tmp_path / "s.yaml").write_text(SCENARIO.replace("within: 20s", "within: 1s"))
    done = run(*words)
    assert done.returncode not in (0, 1) and "client certificate" in done.stdout, done.stdout
