"""Holds the allow-list of variables and that no secret is reported by value."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import environment
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

SECRETS = {
    "HF_TOKEN": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "HUGGINGFACE_HUB_TOKEN": "hf_zzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "NVIDIA_API_KEY": "nvapi-planted",
    "TORCH_AUTH_COOKIE": "cookie-planted",
    "JAX_SECRET_SEED": "secret-planted",
    "HF_ENDPOINT": "https://ada:pa55-planted@hub.example.com/api",
    "AWS_SECRET_ACCESS_KEY": "aws-planted",
    "DATABASE_URL": "postgres://u:db-planted@db/x",
    "http_proxy": "http://ada:proxy-planted@proxy:3128",
}


def test_values_and_what_is_not_set():
    env = {"CUDA_VISIBLE_DEVICES": "", "LD_LIBRARY_PATH": "/usr/local/cuda/lib64", "NCCL_DEBUG": "INFO"}
    facts = collected(environment, MemoryHost(env=env))
    assert facts["env.cuda_visible_devices"] == ""
    assert facts["env.ld_library_path"] == "/usr/local/cuda/lib64"
    assert facts["env.nccl_debug"] == "INFO"
    assert facts["env.ld_preload"] == Unknown(Reason.NOT_APPLICABLE, "not set")


def test_other_variables_by_allow_list():
    env = {
        "NCCL_MIN_NCHANNELS": "4",
        "VLLM_USE_V1": "1",
        "MY_OWN": "x",
        "TF_CLI_CONFIG_FILE": "y",
        "NCCL_DEBUG": "INFO",
    }
    facts = collected(environment, MemoryHost(env=env))
    assert facts["env.variables"] == ("NCCL_MIN_NCHANNELS=4", "VLLM_USE_V1=1")


def test_no_secret_is_reported():
    facts = collected(environment, MemoryHost(env=SECRETS))
    text = repr(facts)
    for value in SECRETS.values():
        assert value not in text
    assert "planted" not in text
    assert "HF_TOKEN=<set>" in facts["env.variables"]
    assert facts["env.hf_endpoint"] == "https://<credentials>@hub.example.com/api"
    assert facts["env.proxies"] == ("http_proxy",)


def test_a_name_with_token_in_it_that_is_no_secret():
    facts = collected(environment, MemoryHost(env={"TOKENIZERS_PARALLELISM": "false"}))
    assert facts["env.tokenizers_parallelism"] == "false"


def test_undecodable_bytes_become_escapes():
    facts = collected(environment, MemoryHost(env={"PYTHONPATH": "/data/\udce9t\udce9"}))
    assert facts["env.pythonpath"] == "/data/\\xe9t\\xe9"
