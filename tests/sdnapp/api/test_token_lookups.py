"""Which tokens Keystone is asked about, by the clock."""

from sdnapp.api.token_lookups import TokenLookups

HOST = "192.0.2.7"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def asks(lookups: TokenLookups, token: str, is_known: bool | None, host: str = HOST, **more: str) -> bool:
    """Let a request come; return whether Keystone is asked, who then says what it knows."""
    lookup = lookups.begin({"REMOTE_ADDR": host, "HTTP_X_AUTH_TOKEN": token, **more})
    if lookup.wait or lookup.refused:
        return False
    lookups.settle(lookup, is_known)
    return True


def test_what_is_refused_is_asked_about_again_after_some_seconds() -> None:
    clock = Clock()
    lookups = TokenLookups(5, clock)
    assert asks(lookups, "t", False)
    assert not asks(lookups, "t", True)
    clock.now += 10.1
    assert asks(lookups, "t", True) and asks(lookups, "t", True)


def test_a_token_that_was_known_is_not_counted_and_may_end() -> None:
    lookups = TokenLookups(1, Clock())
    assert asks(lookups, "good", True)
    assert sum(asks(lookups, f"bad{number}", False) for number in range(30)) == 10
    assert asks(lookups, "good", True), "though its host has no tries left"
    assert asks(lookups, "good", False), "it was revoked"
    assert not asks(lookups, "good", False)


def test_valid_tokens_and_silence_of_keystone_take_no_tries() -> None:
    lookups = TokenLookups(1, Clock())
    assert all(asks(lookups, f"valid{number}", True) for number in range(50))
    assert all(asks(lookups, f"any{number}", None) for number in range(50))
    assert asks(lookups, "any0", True), "nothing was learned from silence"


def test_service_tokens_count_as_well_and_all_of_one_network_are_one_host() -> None:
    lookups = TokenLookups(1, Clock())
    service = {"HTTP_X_SERVICE_TOKEN": "s"}
    assert asks(lookups, "user", True)
    tries = [
        asks(lookups, "user", False, f"2001:db8::{number}", HTTP_X_SERVICE_TOKEN=f"s{number}") for number in range(30)
    ]
    assert sum(tries) == 10
    assert asks(lookups, "user", True, "2001:db8:0:1::1", **service)


def test_without_a_limit_and_without_tokens_all_pass() -> None:
    lookups = TokenLookups(0, Clock())
    assert all(asks(lookups, f"bad{number}", False) for number in range(100))
    assert not lookups.begin({"REMOTE_ADDR": HOST}).wait


def test_made_up_tokens_take_no_memory_for_long() -> None:
    lookups = TokenLookups(0, Clock())
    for number in range(10_100):
        asks(lookups, f"bad{number}", False)
        asks(lookups, f"good{number}", True)
    assert len(lookups._unknown) == len(lookups._known) == 10_000
