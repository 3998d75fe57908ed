"""No secret and no identity leaves in a report; what a diagnosis needs stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.evidence import Evidence
from gpudoctor.model.explanation import Explanation, Likelihood
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.record import names_of
from gpudoctor.model.run import Run
from gpudoctor.report.json_v1 import diagnosis_text, explained_text, report_v1
from gpudoctor.report.redact import Redactor, redact_diagnosis, redact_explained
from report_samples import SPECS, diagnosis, explained, facts, finding

# Every secret is put together here at run time, so that no scanner takes this file for a leak.
ALNUM = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF3hJ6lM9"
HEX = "4f1a9c0d7be2438655aa01fe92cd37b84f1a9c0d7be2438655aa01fe92cd37b8"
WORD = "corr" + "ect9Horse"


def redacted(text: str) -> str:
    redactor = Redactor(SPECS)
    redactor.learn(text)
    return redactor.redact(text)


def _secrets() -> list[tuple[str, str, str]]:
    """Triples of a name, a text that holds a secret, and the secret."""
    j, d = "".join, "-"
    b64 = ALNUM + "+/" + ALNUM
    return [
        ("hugging face", "token {}", j(["h", "f_", ALNUM[:34]])),
        ("hugging face organisation", "{}", j(["api_", "org_", ALNUM[:34]])),
        ("openai", "using {} now", j(["s", "k-", ALNUM])),
        ("openai project", "{}", j(["s", "k-proj-", ALNUM, "_", ALNUM])),
        ("anthropic", "{}", j(["s", "k-ant-api03-", ALNUM, d, ALNUM])),
        ("github classic", "{}", j(["gh", "p_", ALNUM[:36]])),
        ("github oauth", "{}", j(["gh", "o_", ALNUM[:36]])),
        ("github server", "x {}.", j(["gh", "s_", ALNUM[:36]])),
        ("github fine", "{}", j(["github", "_pat_", ALNUM, "_", ALNUM])),
        ("slack bot", "{}", j(["xo", "xb-", "123456789012-", ALNUM[:24]])),
        ("slack user", "{}", j(["xo", "xp-", "123456789012-", ALNUM[:24]])),
        ("slack hook", "https://hooks.slack.com/services/{}", j(["T0AB12CD3/", "B0AB12CD3/", ALNUM[:24]])),
        ("discord hook", "https://discord.com/api/webhooks/{}", j(["123456789012345678/", ALNUM])),
        ("telegram", "{}", j(["123456789", ":AA", ALNUM[:33]])),
        ("aws id", "{}", j(["AK", "IA", "ABCD2345EFGH6789"])),
        ("aws temporary id", "id={}", j(["AS", "IA", "ABCD2345EFGH6789"])),
        ("aws key", "aws_secret_access_key = {}", b64[:40]),
        ("aws key environment", "AWS_SECRET_ACCESS_KEY={}", b64[:40]),
        ("aws session", "AWS_SESSION_TOKEN={}", b64 + "=="),
        ("jwt", "{}", j(["ey", "JhbGciOi", ".", "eyJzdWIi" + ALNUM, ".", ALNUM])),
        ("gitlab", "{}", j(["gl", "pat-", ALNUM[:20]])),
        ("gitlab runner", "{}", j(["gl", "rt-", ALNUM[:20]])),
        ("npm", "{}", j(["np", "m_", ALNUM[:36]])),
        ("pypi", "{}", j(["py", "pi-", "AgEIcHlwaS5vcmc", ALNUM, ALNUM])),
        ("google", "{}", j(["AI", "za", ALNUM[:35]])),
        ("google oauth", "{}", j(["ya", "29.", ALNUM])),
        ("google client", "{}", j(["GOC", "SPX-", ALNUM[:28]])),
        ("wandb environment", "WANDB_API_KEY={}", HEX[:40]),
        ("wandb yaml", "wandb_api_key: {}", HEX[:40]),
        ("wandb netrc", "machine api.wandb.ai login user password {}", HEX[:40]),
        ("docker hub", "{}", j(["dckr", "_pat_", ALNUM[:27]])),
        ("nvidia", "{}", j(["nv", "api-", ALNUM, ALNUM[:20]])),
        ("replicate", "{}", j(["r", "8_", ALNUM[:37]])),
        ("groq", "{}", j(["gs", "k_", ALNUM, ALNUM[:13]])),
        ("runpod", "{}", j(["rp", "a_", ALNUM])),
        ("vault", "{}", j(["hv", "s.", ALNUM])),
        ("sendgrid", "{}", j(["S", "G.", ALNUM[:22], ".", ALNUM])),
        ("stripe", "{}", j(["s", "k_live_", ALNUM[:24]])),
        ("databricks", "{}", j(["da", "pi", HEX[:32]])),
        ("bearer", "Authorization: Bearer {}", ALNUM),
        ("bearer in curl", "curl -H 'authorization: bearer {}' https://x.example", ALNUM),
        ("basic", "Authorization: Basic {}", b64[:24]),
        ("cookie", "Cookie: session={}", ALNUM),
        ("url login", "https://bob:{}@pypi.example.com/simple", WORD),
        ("url login with at", "https://bob:{}@pypi.example.com/simple", WORD + "@1"),
        ("url token", "https://{}@github.com/org/repo.git", ALNUM),
        ("database", "postgresql+psycopg2://app:{}@db:5432/runs", WORD),
        ("redis", "redis://:{}@10.2.3.4:6379/0", WORD),
        ("mongo", "mongodb+srv://u:{}@c0.example.net/?w=majority", WORD),
        ("proxy", "HTTPS_PROXY=http://proxyuser:{}@proxy:3128", WORD),
        (
            "azure storage",
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=y",
            b64[:86] + "==",
        ),
        ("azure sas", "https://x.blob.core.windows.net/c?sv=2024-01-01&sig={}", ALNUM + "%3D"),
        ("presigned", "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={}", HEX),
        ("password equals", "password={}", WORD),
        ("password shell", "export DB_PASSWORD='{}'", WORD),
        ("passwd", "passwd={}", WORD),
        ("password json", '{{"password": "{}"}}', WORD),
        ("password json escaped", '"{{\\"password\\": \\"{}\\"}}"', WORD),
        ("password with escaped quote", '{{"password": "{}"}}', WORD + '\\"' + WORD),
        ("password yaml", "  password: {}", WORD),
        ("passphrase yaml words", "passphrase: {}", WORD + " battery staple"),
        ("password python", "connect(password='{}')", WORD),
        ("password option", "mysql --password {} -h db", WORD),
        ("password option equals", "tool --password={}", WORD),
        ("token option", "huggingface-cli login --token {}", WORD),
        ("token equals", "token={}&x=1", WORD),
        ("token yaml quoted", 'token: "{}"', WORD),
        ("secret", "client_secret={}", WORD),
        ("secret dict", "{{'secret': '{}'}}", WORD),
        ("api key dashes", "x-api-key: {}", WORD),
        ("api key camel", '"apiKey":"{}"', WORD),
        ("some service", "MY_SERVICE_KEY={}", WORD),
        ("kubernetes yaml", "- name: HF_TOKEN\n  value: {}", WORD),
        ("kubernetes json", '{{"name": "DB_PASSWORD", "value": "{}"}}', WORD),
        ("docker config", '{{"auths": {{"r.example": {{"auth": "{}"}}}}}}', b64[:24]),
        ("curl user", "curl -s -u bob:{} https://x.example", WORD),
        ("sshpass", "sshpass -p {} ssh node", WORD),
        ("key block", "-----BEGIN RSA PRI" + "VATE KEY-----\n{}\n-----END RSA PRI" + "VATE KEY-----", b64),
        ("key block cut", "-----BEGIN OPENSSH PRI" + "VATE KEY-----\n{}", b64),
        ("key in json", '"private_key_id": "{}"', HEX[:40]),
    ]


IDENTITIES = [
    ("email", "mail ada.lovelace@example.com now", "ada.lovelace"),
    ("home", "/home/lovelace/venv/lib/python3.11/site-packages/torch/__init__.py", "lovelace"),
    ("home elsewhere", "cwd is /data/home/lovelace/run", "lovelace"),
    ("mac home", "/Users/lovelace/x", "lovelace"),
    ("windows home", r"C:\Users\lovelace\x", "lovelace"),
    ("user after home", "/home/lovelace owned by lovelace; /scratch/lovelace/x", "lovelace"),
    ("gpu uuid", "UUID: GPU-1f0e3dad-9990-1234-8345-f7ffedabc001", "1f0e3dad"),
    ("mig uuid", "MIG-1f0e3dad-9990-1234-8345-f7ffedabc001", "f7ffedabc001"),
    ("short gpu uuid", "CUDA_VISIBLE_DEVICES=GPU-1f0e3dad", "1f0e3dad"),
    ("pod uid", "kubepods-burstable-pod1f0e3dad_9990_1234_8345_f7ffedabc001.slice", "f7ffedabc001"),
    ("serial", "Serial Number                         : 1322521034567", "1322521034567"),
    ("container path", f"/sys/fs/cgroup/docker/{HEX}", HEX),
    ("container scope", f"0::/system.slice/docker-{HEX}.scope", HEX),
    ("container scheme", f"containerd://{HEX}", HEX),
    ("container json", f'"Id": "{HEX}"', HEX),
    ("podman", f"libpod-{HEX}.scope", HEX),
    ("mac", "link/ether 02:42:ac:11:00:9e brd", "02:42:ac:11:00:9e"),
    ("private", "connect to 10.3.7.21:29500", "10.3.7.21"),
    ("private range", "10.3.7.21-10.3.7.29", "10.3.7.29"),
    ("public", "from 93.184.216.34 port 22", "93.184.216.34"),
    ("nccl", "NCCL INFO Bootstrap : Using eth0:10.3.7.21<0>", "10.3.7.21"),
    ("six", "addr fe80::42:acff:fe11:9e/64", "fe80::42"),
    ("six global", "[2001:db8:85a3::8a2e:370:7334]:443", "8a2e:370"),
    ("guid", "node_guid: 0c42:a103:0065:af3e", "0c42:a103"),
    ("master", "MASTER_ADDR=kepler-07.cluster.example", "kepler-07"),
    ("host name", "HOSTNAME=kepler-07 then kepler-07 died", "kepler-07"),
    ("docker host name", '"Hostname": "trainerbox"; trainerbox died', "trainerbox"),
    ("prompt", "lovelace@kepler-07:~$ nvidia-smi", "lovelace"),
    ("prompt host", "root@kepler-07:/workspace# nvidia-smi", "kepler-07"),
    ("cloud host", "ip-10-3-7-21.eu-central-1.compute.internal", "10-3-7-21"),
    ("user variable", "USER=lovelace", "lovelace"),
]

INNOCENTS = [
    "535.104.05",
    "Driver Version: 580.65.06   CUDA Version: 13.0",
    "torch==2.13.0+cu130",
    "nvidia-cublas-cu12==12.8.4.1",
    "nvidia-curand-cu12                10.3.5.147",
    "nvidia_curand_cu12-10.3.5.147-py3-none-manylinux1_x86_64.whl",
    "opencv-python                     4.8.1.78",
    "cuDNN version: 9.1.0.70",
    "libcudnn9-cuda-12 9.1.0.70-1",
    "nvidia-cudnn-cu12>=9.1.0.70",
    "libcudnn.so.9.1.0",
    "libcuda.so.535.104.05",
    "00000000:3B:00.0",
    "0000:3b:00.0 3D controller",
    "PCI:0000:c1:00.0",
    "127.0.0.1:29500",
    "0.0.0.0:8888",
    "255.255.255.0",
    "::1",
    "localhost:6006",
    "00:00:00:00:00:00",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "/usr/local/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so",
    "/opt/conda/lib/python3.11/site-packages/users/models.py",
    "/usr/local/cuda/compat/lib.real",
    "/root/.cache/huggingface",
    "/proc/driver/nvidia/version",
    "GET /api/users/current HTTP/1.1",
    "https://github.com/users/home/page",
    "https://download.pytorch.org/whl/cu128",
    "git+https://github.com/pytorch/pytorch.git@a1b2c3d4e5f6",
    "git@github.com:pytorch/pytorch.git",
    "ssh://git@github.com/pytorch/pytorch.git",
    "sha256:" + HEX,
    "rules digest " + HEX,
    "commit " + HEX[:40],
    "undefined symbol: _ZN3c104cuda9SetDeviceEi",
    "std::runtime_error c10::Error at::Tensor a1::b2",
    "memcpy@GLIBC_2.14 memcpy@@GLIBC_2.14",
    "GLIBCXX_3.4.32 not found",
    "CUDA error: device-side assert triggered",
    "max_tokens=4096",
    "max_token: 512",
    "eos_token='</s>' pad_token=[PAD] bos_token: bos",
    "tokenizer = AutoTokenizer.from_pretrained('gpt2')",
    "token = next(tokens)",
    "Unexpected token: foo",
    "num_tokens: 123456",
    "token_type_ids",
    "token=None password=None api_key=null",
    "HF_TOKEN=$HF_TOKEN",
    "secret: ${{ secrets.TOKEN }}",
    "secretName: regcred",
    "--user 1000:1000",
    "docker run -u 0:0 image",
    "sk-learn-contrib-extras-package",
    "task-1234567890abcdefghijkl1234567890",
    "PWD=/workspace",
    "author: somebody",
    "keyboard: us",
    "exitcode : -9 (pid: 4242) of binary: /usr/bin/python3",
    "12:34:56.789 [rank3]: 2026-11-20T19:30:27",
    "run-2026-11-20-19-30-27",
    "NVIDIA H100 80GB HBM3, compute capability 9.0",
    "sm_80 sm_90 compute_90",
    "Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>",
    "LD_LIBRARY_PATH=/usr/local/cuda/lib64:/usr/local/nvidia/lib",
    "NCCL_SOCKET_IFNAME=eth0",
    "python3.11 -m pip install 'torch>=2.7'",
    "user@2x.png icon@3x.png",
    "root",
    "",
]


@pytest.mark.parametrize(("name", "text", "secret"), _secrets(), ids=lambda value: str(value)[:24])
def test_a_secret_is_hidden_in_every_place_of_a_report(name: str, text: str, secret: str) -> None:
    full = text.format(secret)
    planted = diagnosis(
        facts=facts().merged([Fact("env.planted", full), Fact("torch.why", Unknown(Reason.CRASHED, full))]),
        findings=(finding(message=full, evidence=(Evidence("train.log", full, 3), Evidence("env.planted", full))),),
        runs=(Run("target", "crashed", 1.0, full, full),),
        explanations=(explained(unused=(full,)),),
    )
    told = diagnosis_text(redact_diagnosis(planted, SPECS), 1)
    for part in secret.split():
        assert part.strip('\\"') not in told, f"{name} leaks"
    assert told.count("<secret-") >= 7


def test_there_are_at_least_sixty_of_each() -> None:
    assert len(_secrets()) >= 60
    assert len(INNOCENTS) >= 60


@pytest.mark.parametrize(("name", "text", "identity"), IDENTITIES, ids=[row[0] for row in IDENTITIES])
def test_an_identity_is_hidden(name: str, text: str, identity: str) -> None:
    assert identity not in redacted(text)


@pytest.mark.parametrize("text", INNOCENTS)
def test_what_a_diagnosis_needs_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(("name", "text", "secret"), _secrets(), ids=lambda value: str(value)[:24])
def test_the_name_before_a_secret_stays(name: str, text: str, secret: str) -> None:
    before = text.format("\0").split("\0")[0]
    if "KEY-----" not in before:
        assert redacted(text.format(secret)).startswith(
            before.replace("://bob:", "://").split("bob")[0].split("app:")[0][:8]
        )


def test_the_class_of_what_was_hidden_stays() -> None:
    text = redacted("10.0.0.1 10.0.0.2 10.0.0.1 93.184.216.34 169.254.1.1 GPU-1f0e3dad-9990-1234-8345-f7ffedabc001")
    assert text == "<ip-private-1> <ip-private-2> <ip-private-1> <ip-public-1> <ip-link-local-1> GPU-<uuid-1>"
    assert redacted("/home/lovelace/venv/lib/libcuda.so.1") == "<home-1>/venv/lib/libcuda.so.1"
    assert redacted("postgres://u:" + WORD + "@db/x") == "postgres://<secret-1>@db/x"


def test_placeholders_agree_over_a_whole_report() -> None:
    report = report_v1(redact_diagnosis(diagnosis(), SPECS), 1)
    assert report["facts"]["network.host_name"] == {"value": "<host-1>"}
    assert report["facts"]["user.name"] == {"value": "<user-1>"}
    assert report["facts"]["python.prefix"] == {"value": "<home-1>/venv"}
    assert report["facts"]["env.ld_library_path"] == {"value": "/usr/local/cuda/compat:<home-1>/lib"}
    assert report["facts"]["gpu.uuids"] == {"value": ["GPU-<uuid-1>", "GPU-<uuid-2>"]}
    assert report["target"]["interpreter"] == "<home-1>/venv/bin/python"
    assert report["tool"]["rules"]["digest"] == diagnosis().rules.digest


def test_a_name_that_a_fact_gives_away_is_found_in_a_log_line_that_came_before() -> None:
    planted = diagnosis(findings=(finding(message="kepler-07.cluster lost rank 3, says ada"),))
    assert redact_diagnosis(planted, SPECS).findings[0].message == "<host-1>.cluster lost rank 3, says <user-1>"


@pytest.mark.parametrize("name", ["root", "ubuntu", "localhost", "will", "torch"])
def test_a_name_that_is_a_word_does_not_spoil_the_text(name: str) -> None:
    text = "torch will not start as root on ubuntu at localhost"
    planted = diagnosis(facts=Facts([Fact("user.name", name)]), findings=(finding(message=text),))
    assert redact_diagnosis(planted, SPECS).findings[0].message == text


def test_known_kinds_of_private_facts_are_hidden_whole() -> None:
    specs = {
        key: FactSpec(key, FactType.TEXT_LIST, "x", private=True)
        for key in ("gpu.serials", "container.id", "net.hostnames")
    }
    given_facts = Facts(
        [
            Fact("gpu.serials", ("1322521034567", Unknown(Reason.NOT_APPLICABLE))),
            Fact("container.id", HEX[:12]),
            Fact("net.hostnames", ("alpha", "127.0.0.1")),
        ]
    )
    told = redact_diagnosis(diagnosis(facts=given_facts), specs).facts
    assert told["gpu.serials"] == ("<serial-1>", Unknown(Reason.NOT_APPLICABLE))
    assert told["container.id"] == "<container-1>"
    assert told["net.hostnames"] == ("<host-1>", "127.0.0.1")


def test_a_fact_whose_key_names_a_secret_is_hidden_whole_and_keeps_its_key() -> None:
    given_facts = Facts([Fact("env.hf_token", WORD), Fact("env.wandb_api_key", "none"), Fact("env.eos_token", "</s>")])
    told = redact_diagnosis(diagnosis(facts=given_facts), {}).facts
    assert dict(told.items()) == {
        "env.eos_token": "</s>",
        "env.hf_token": "<secret-1>",
        "env.wandb_api_key": "none",
    }


def test_redacting_twice_is_redacting_once() -> None:
    texts = [text.format(secret) for _, text, secret in _secrets()] + [text for _, text, _ in IDENTITIES]
    planted = diagnosis(findings=tuple(finding(message=text) for text in texts))
    once = redact_diagnosis(planted, SPECS)
    assert diagnosis_text(redact_diagnosis(once, SPECS), 1) == diagnosis_text(once, 1)


def test_new_placeholders_do_not_take_the_numbers_of_old_ones() -> None:
    assert redacted("was <ip-private-1>, now 10.0.0.9") == "was <ip-private-1>, now <ip-private-2>"


def test_explanations_are_redacted_too() -> None:
    secret = "gh" + "p_" + ALNUM[:36]
    item = Explanation(
        "a.b",
        "t",
        Likelihood.LIKELY,
        evidence=(Evidence("/home/lovelace/train.log", f"token {secret} of lovelace", 7),),
    )
    told = redact_explained(explained(explanations=(item,), unused=(secret,)))
    assert secret not in explained_text(told)
    assert told.explanations[0].evidence[0] == Evidence("<home-1>/train.log", "token <secret-1> of <user-1>", 7)


def test_nothing_but_texts_changes() -> None:
    before, after = diagnosis(), redact_diagnosis(diagnosis(), SPECS)
    assert names_of(before) == names_of(after)
    assert list(after.facts) == sorted(before.facts)
    assert after.facts["driver.version"] == before.facts["driver.version"]
    assert after.facts["torch.arch_list"] == before.facts["torch.arch_list"]
    assert [item.check for item in after.findings] == [item.check for item in before.findings]
    assert after.health is before.health


PIECES = [
    "password=",
    '"',
    "'",
    "\\",
    "token:",
    " ",
    "\n",
    "@",
    ":",
    "/",
    "//",
    "a",
    "home",
    "/home/x1",
    "10.0.0.1",
    ".",
    "-",
]
PIECES += [
    "<host-1>",
    "<secret-1>",
    "=",
    "http://",
    "::",
    "ab:cd:ef:01:02:03",
    "KEY=",
    "USER=",
    "eyJ",
    "Bearer ",
    "é",
    "1",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=14).map("".join))
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


REPEATED = ["a", "a.", "a@", "1.", "/a", "/home/", "ab:", "0a", "eyJ-", " ", "-", "https://", "a:b@", "é", "=", "\\"]
REPEATED += ["password=", 'password="', 'password=\\"', "token=", "password=$", "eos_token=", "name: TOKEN ", "_key"]
REPEATED += ["-----BEGIN PRI" + "VATE KEY-----", "curl -u ", "login x ", "GPU-", "USER=a ", "serial "]


@pytest.mark.parametrize("unit", REPEATED)
def test_a_long_line_comes_back(unit: str) -> None:
    # A search that is quadratic in the length would not end within hours here.
    text = unit * (300_000 // len(unit))
    told = Redactor().redact(text)
    assert told.startswith((unit[:1], "<"))


def test_a_megabyte_on_one_line_keeps_all_but_the_secret() -> None:
    filler = "step 100 loss 0.123 lr 3e-4 | " * 17_000
    secret = "h" + "f_" + ALNUM[:34]
    assert Redactor().redact(f"{filler}token {secret} {filler}") == f"{filler}token <secret-1> {filler}"
