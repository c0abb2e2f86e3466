package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const about = `Serin rolls out new revisions of a Deployment step by step. These commands look at a
rollout and steer it. NAME is the name of a Canary: kubectl get canaries.

Exit codes: 0 done, 1 refused or not promoted, 2 not decided in time, 3 anything else.`

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use: "kubectl-serin", Short: "Look at Serin's rollouts and steer them", Long: about, Version: release(),
		Annotations:  map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl serin"},
		SilenceUsage: true, SilenceErrors: true, // run says it, once
	}
	root.CompletionOptions.DisableDefaultCmd = true // kubectl does not ask a plugin this way
	s.bind(root.PersistentFlags())
	root.AddGroup(&cobra.Group{ID: groupLook, Title: "Look:"}, &cobra.Group{ID: groupSteer, Title: "Steer:"})
	root.AddCommand(explainCommand(s), statusCommand(s), historyCommand(s), revisionsCommand(s))
	root.AddCommand(verbs(s)...)
	root.AddCommand(releaseCommand(s))
	return root
}

const (
	groupLook  = "look"
	groupSteer = "steer"
)

// oneName takes the name of a Canary, and says so.
func oneName(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%s needs the NAME of a Canary; kubectl get canaries lists them", cmd.Name())
	case len(args) > 1:
		return fmt.Errorf("%s takes the name of one Canary, and was given %d: %s", cmd.Name(), len(args), strings.Join(args, ", "))
	case strings.Contains(args[0], "/"):
		return fmt.Errorf("%q: give the name of the Canary alone", args[0])
	}
	return nil
}
