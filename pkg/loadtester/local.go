package loadtester

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fromThisContainer tells whether the request comes from a process of the load tester's own
// container: one that kubectl exec or a task started. It needs no token: it could read the pod's
// token, and everything else that the load tester has, from its files.
//
// An address of the loopback does not prove that. The proxies of a service mesh run in the pod's
// network too and hand on what strangers sent them, and so does kubectl port-forward. So the kernel is
// asked which socket is at the other end, and then whether a process that can be seen here has it:
// other containers' processes cannot be seen.
func fromThisContainer(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return false
	}
	inode, ok := findSocket(unmap(peer), unmap(local.AddrPort()))
	return ok && heldHere(inode)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// findSocket returns the inode of the connected socket from one address to the other.
func findSocket(from, to netip.AddrPort) (string, bool) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode, ok := findInTable(table, from, to); ok {
			return inode, true
		}
	}
	return "", false
}

// findInTable reads lines such as
//
//	1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 65532 0 31337 1 …
//
// which are the number, the addresses of this end and the other, and as tenth the inode.
func findInTable(path string, from, to netip.AddrPort) (string, bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false // no IPv6, or no Linux
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		if near, ok := parseSocket(fields[1]); !ok || near != from {
			continue
		}
		if far, ok := parseSocket(fields[2]); ok && far == to && fields[9] != "0" {
			return fields[9], true
		}
	}
	return "", false
}

// parseSocket reads address:port in the kernel's way: the address as words of four bytes in the
// machine's order, the port as a number, all hexadecimal.
func parseSocket(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return unmap(netip.AddrPortFrom(addr, uint16(number))), ok
}

// heldHere tells whether a process that is seen from here has that socket open.
func heldHere(inode string) bool {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return false
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
