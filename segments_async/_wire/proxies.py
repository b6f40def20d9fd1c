"""Read the proxies of the environment, and the hosts that need none (``NO_PROXY``, as curl reads it)."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

import httpx
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_is_domain = re.compile(r"[\w-]+(\.[\w-]+)*").fullmatch

_Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


@frozen
class _Rule:
    """One entry of ``NO_PROXY``."""

    port: int | None
    network: _Network | None = None
    domain: str = ""

    def matches(self, host: str, address: _Address | None, port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        return host == self.domain or host.endswith(f".{self.domain}")


@frozen
class NoProxy:
    """The hosts that are reached without a proxy."""

    everything: bool
    rules: tuple[_Rule, ...]
    unreadable: tuple[str, ...]
    """Entries that could not be parsed and are ignored."""

    @classmethod
    def parse(cls, text: str) -> NoProxy:
        """
        Read ``NO_PROXY``: host names with their subdomains, addresses, ranges and ``*``, each with or without a port.

        Example:
            >>> NoProxy.parse("example.com, 10.0.0.0/8, [::1]:8080").covers("api.example.com", 443)
            True
        """
        entries = [entry for entry in text.replace(",", " ").split() if entry]
        rules = {entry: _read_rule(entry) for entry in entries if entry != "*"}
        return cls(
            everything="*" in entries,
            rules=tuple(rule for rule in rules.values() if rule is not None),
            unreadable=tuple(entry for entry, rule in rules.items() if rule is None),
        )

    def covers(self, host: str, port: int | None) -> bool:
        """Return whether *host* is reached without a proxy."""
        if self.everything:
            return True
        host = _ascii(host.lower().rstrip(".").strip("[]")) or host
        address = _address(host)
        return any(rule.matches(host, address, port) for rule in self.rules)


def _read_rule(entry: str) -> _Rule | None:
    host, port = _split_port(entry.lower())
    if port == -1 or not host:
        return None
    try:
        return _Rule(port, network=ip_network(host, strict=False))
    except ValueError:
        pass
    domain = host.removeprefix("*").strip(".")
    ascii_domain = _ascii(domain) if _is_domain(domain) else None
    return None if ascii_domain is None else _Rule(port, domain=ascii_domain)


def _ascii(host: str) -> str | None:
    """Return a host name as it is sent, such as ``xn--mnchen-3ya.test`` for ``münchen.test``; None if it cannot be."""
    if host.isascii():
        return host
    try:
        return httpx.URL(scheme="https", host=host).raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        return None


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split ``host:port``; the port is -1 if it is not one. IPv6 addresses have colons, so a port needs brackets."""
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        if not bracket:
            return "", -1
        if rest.startswith("/"):  # a range with brackets
            return host + rest, None
        return host, _port(rest.removeprefix(":")) if rest else None
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, _port(port)
    return entry, None


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 2**16 else -1  # noqa: PLR2004


def _address(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def proxies_in(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Read the proxies from the environment, by scheme: ``http``, ``https``, and ``all`` for both.

    Lower-case names win, as with curl and httpx. In a CGI program ``HTTP_PROXY`` is a header of the request, so it is
    ignored there (CVE-2016-1000110).
    """
    found: dict[str, str] = {}
    for scheme in ("http", "https", "all"):
        names: Iterable[str] = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
        if scheme == "http" and "REQUEST_METHOD" in environment:
            names = ("http_proxy",)
        value = next((environment[name].strip() for name in names if environment.get(name, "").strip()), "")
        if value:
            found[scheme] = value if "://" in value else f"http://{value}"
    return found


def no_proxy_in(environment: Mapping[str, str]) -> NoProxy:
    """Read the hosts that are reached without a proxy from the environment."""
    return NoProxy.parse(environment.get("no_proxy") or environment.get("NO_PROXY") or "")
