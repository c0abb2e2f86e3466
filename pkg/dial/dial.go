// Package dial is the way out of the operator: every call to an address that a user may have written goes
// through a Guard. It looks at the address that a name has led to, at the moment of the connection, so that
// neither a name, nor a redirect, nor an answer of DNS that changes in between gets past it.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/idna"
)

// Flag is the operator's flag for the list of a Guard, as errors name it.
const Flag = "--allowed-addresses"

// Guard says which addresses are called. A nil one calls all but the reserved ones (reserved.go), which
// no list can allow.
type Guard struct {
	networks []netip.Prefix
	// names are host names in lower case; those that begin with a dot are the ends of names.
	names []string
}

// New reads a list of networks (10.0.0.0/8), addresses, host names and ends of names (*.example.com);
// an empty one allows all. The hosts of the administrator's own URLs are allowed beside the list.
func New(list []string, own ...string) (*Guard, error) {
	if len(list) == 0 {
		return nil, nil
	}
	g := &Guard{}
	for _, entry := range list {
		if err := g.allow(entry); err != nil {
			return nil, err
		}
	}
	for _, address := range own {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			g.allowHost(u.Hostname())
		}
	}
	return g, nil
}

func (g *Guard) allow(entry string) error {
	if network, err := netip.ParsePrefix(entry); err == nil {
		g.networks = append(g.networks, network.Masked())
		return nil
	}
	if name := strings.TrimPrefix(entry, "*."); !isAddress(entry) && (name == "" || strings.ContainsAny(name, "*/:@ ")) {
		return fmt.Errorf("%q is neither a network such as 10.0.0.0/8, nor an address, nor a host name without scheme and port, nor the end of one such as *.example.com", entry)
	}
	g.allowHost(strings.TrimPrefix(entry, "*"))
	return nil
}

func (g *Guard) allowHost(host string) {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		g.networks = append(g.networks, netip.PrefixFrom(ip, ip.BitLen()))
		return
	}
	g.names = append(g.names, canonical(host))
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// Refused is a call that was not made.
type Refused struct{ Host, Why string }

func (e *Refused) Error() string { return fmt.Sprintf("%s is refused: %s", e.Host, e.Why) }

// Transport returns a transport whose connections the guard allows. A proxy finds out for itself where a
// name leads: behind one, the guard sees the host as it stands in the URL.
func (g *Guard) Transport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		DialContext: g.dial,
		Proxy: func(r *http.Request) (*url.URL, error) {
			through, err := proxy(r)
			if err != nil || through == nil {
				return nil, err
			}
			return through, g.unresolved(r.URL.Hostname())
		},
		ForceAttemptHTTP2: true,
		IdleConnTimeout:   90 * time.Second,
	}
}

func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return &Refused{host, "it leads to " + address + ", which is no IP address"}
		}
		return g.resolved(host, to.Addr())
	}}
	return dialer.DialContext(ctx, network, address)
}

// resolved judges a host by the address that it leads to.
func (g *Guard) resolved(host string, ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	if what := reserved(ip); what != "" {
		return &Refused{host, fmt.Sprintf("%s is %s, which the operator never calls", ip, what)}
	}
	if g == nil || g.named(host) || g.within(ip) {
		return nil
	}
	return unlisted(host)
}

// unresolved judges a host that somebody else will resolve. Numbers that some resolvers take for an
// address, such as 0xa9fea9fe, are nothing that anybody needs.
func (g *Guard) unresolved(host string) error {
	name := canonical(host)
	if ip, err := netip.ParseAddr(name); err == nil {
		return g.resolved(host, ip)
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case isNumber(last):
		return &Refused{host, "it is neither a name nor an address as it is usually written"}
	case g == nil || g.named(host):
		return nil
	}
	return unlisted(host)
}

// isNumber is true for what some resolvers count as one, in any base, and for nothing at all.
func isNumber(label string) bool {
	_, err := strconv.ParseUint(label, 0, 64)
	return err == nil || strings.Trim(label, "0123456789") == ""
}

func unlisted(host string) error {
	return &Refused{host, "neither it nor its address is in " + Flag + " of the operator"}
}

func (g *Guard) within(ip netip.Addr) bool {
	for _, network := range g.networks {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

func (g *Guard) named(host string) bool {
	host = canonical(host)
	for _, name := range g.names {
		if host == name || name[0] == '.' && strings.HasSuffix(host, name) {
			return true
		}
	}
	return false
}

// canonical is a host as HTTP clients ask for it: in ASCII, in lower case, without the root's dot.
func canonical(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
