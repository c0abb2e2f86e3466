// Command kube is every Kubernetes program of the test cluster in one static
// binary: the first name it is called by that is a program decides, be it the
// name of the file (a symbolic link, as envtest wants it) or the first argument.
//
// One binary because they share nearly all of their packages: linking each
// alone takes seven times the disk and the link time.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// programs by name; each runs with os.Args as if it were alone in the binary.
var programs = map[string]func(){
	"etcd":                    runEtcd,
	"kube-apiserver":          serve(apiserver.NewAPIServerCommand),
	"kube-controller-manager": serve(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          serve(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              serve(proxy.NewProxyCommand),
	"kubelet":                 serve(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"kubectl":                 runKubectl,
}

func main() {
	for depth := range min(len(os.Args), 2) {
		if run, ok := programs[filepath.Base(os.Args[depth])]; ok {
			os.Args = os.Args[depth:]
			run()
			return
		}
	}
	known := strings.Join(slices.Sorted(maps.Keys(programs)), " | ")
	fmt.Fprintf(os.Stderr, "usage: kube %s [arguments]\n", known)
	os.Exit(2)
}

// serve delays the construction of a command to its use: several of them
// register the same global flags and metrics when they are built.
func serve(command func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(command())) }
}

func runEtcd() { etcdmain.Main(os.Args) }

func runKubectl() {
	// The upstream main does the same: client-go logs before flags are parsed.
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}
