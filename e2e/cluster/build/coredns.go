package build

import "github.com/serin-dev/serin/e2e/cluster/cache"

// corednsPlugins is the generated list of compiled-in plugins, cut down to the
// ones that the cluster's Corefile uses: the cloud providers' client libraries
// behind the others are most of the build. Their order is of no consequence, it
// comes from core/dnsserver/zdirectives.go.
const corednsPlugins = `package plugin

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)
`

func (b *Builder) coreDNS() *cache.Part {
	bin := b.program(program{
		Name: "coredns", Module: "github.com/coredns/coredns", Version: CoreDNSVersion,
		goBuild: goBuild{Package: "."},
		Patch:   map[string]string{"core/plugin/zplugin.go": corednsPlugins},
		Hint:    "some minutes of CPU the first time",
	})
	return b.static("coredns", CoreDNSImage, bin)
}
