package build

import (
	"io/fs"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
)

// prometheusModule is the version of the Go module of release 3.15.0: upstream
// numbers its module by 0 and the release's two first parts.
const (
	prometheusModule  = "v0.315.0"
	PrometheusVersion = "v3.15.0"
)

// prometheus is built rather than taken from Debian, whose build cannot discover
// pods. Kubernetes is the only discovery compiled in, besides files, DNS and
// HTTP; the pages for browsers, made by another tool chain, are missing.
func (b *Builder) prometheus() *cache.Part {
	bin := b.program(program{
		Name: "prometheus", Module: "github.com/prometheus/prometheus", Version: prometheusModule,
		goBuild: goBuild{
			Package:   "./cmd/prometheus",
			Tags:      "remove_all_sd,enable_kubernetes_sd",
			Variables: []string{"github.com/prometheus/common/version.Version=" + PrometheusVersion[1:]},
		},
		Hint: "6 minutes of CPU the first time",
	})
	return b.pack("prometheus", archive.Image{
		Tags:       []string{"docker.io/prom/prometheus:" + PrometheusVersion},
		Entrypoint: []string{"/bin/prometheus"},
		Cmd:        []string{"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"},
		User:       "65534:65534",
		WorkDir:    "/prometheus",
		Files: []archive.File{
			{Path: "/bin/prometheus", From: bin.File, Mode: 0o755},
			// Everything in the image is root's, and Prometheus is not.
			{Path: "/prometheus", Mode: fs.ModeDir | 0o777},
		},
	}, bin)
}
