package dial

import "net/netip"

// metadata are addresses beyond the link-local ones at which clouds hand out credentials, or speak to
// their machines, to whoever runs there.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS, all of its services for an instance
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
}

// nat64 holds IPv4 addresses in its last four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// reserved says what an address is that nothing of a user's is behind; "" for all others. Loopback is not
// among them: it is the operator's own pod, where sidecars sign requests or keep tunnels.
func reserved(ip netip.Addr) string {
	if b := ip.As16(); nat64.Contains(ip) {
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case ip.IsLinkLocalUnicast():
		return "a link-local address, where clouds keep their metadata"
	case ip.IsUnspecified():
		return "no address of anything"
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "a multicast or broadcast address"
	}
	for _, network := range metadata {
		if network.Contains(ip) {
			return "the address of a cloud's metadata"
		}
	}
	return ""
}
