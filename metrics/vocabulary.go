package metrics

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

// allowed walks a parsed template and refuses what a query has no business with. What text/template
// offers cannot be taken away from it, and a loop or a printf with a large width would cost the
// operator its memory before any bound on the output could speak.
type allowed struct{ variables map[string]string }

func (a allowed) list(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := a.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (a allowed) node(n parse.Node) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		return a.pipe(n.Pipe)
	case *parse.IfNode:
		return a.condition(n)
	default:
		return refused(n)
	}
}

func (a allowed) condition(n *parse.IfNode) error {
	if err := a.pipe(n.Pipe); err != nil {
		return err
	}
	if err := a.list(n.List); err != nil {
		return err
	}
	return a.list(n.ElseList)
}

func (a allowed) pipe(p *parse.PipeNode) error {
	if len(p.Cmds) != 1 || len(p.Decl) > 0 {
		return refused(p)
	}
	return a.command(p.Cmds[0])
}

// command is a value by itself, an index into the variables, or a comparison of values.
func (a allowed) command(c *parse.CommandNode) error {
	if len(c.Args) == 1 {
		return a.value(c.Args[0])
	}
	function, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return refused(c)
	}
	if function.Ident == "index" {
		return a.index(c)
	}
	if !slices.Contains([]string{"eq", "ne", "and", "or", "not"}, function.Ident) {
		return refused(c)
	}
	for _, arg := range c.Args[1:] {
		if err := a.value(arg); err != nil {
			return err
		}
	}
	return nil
}

// index is the way to a variable whose name is not an identifier.
func (a allowed) index(c *parse.CommandNode) error {
	if len(c.Args) == 3 && isVariables(c.Args[1]) {
		if key, ok := c.Args[2].(*parse.StringNode); ok {
			return a.has(key.Text)
		}
	}
	return refused(c)
}

func (a allowed) value(n parse.Node) error {
	switch n := n.(type) {
	case *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
		return nil
	case *parse.PipeNode:
		return a.pipe(n)
	case *parse.IdentifierNode:
		return a.name(n)
	case *parse.ChainNode:
		if isVariables(n.Node) && len(n.Field) == 1 {
			return a.has(n.Field[0])
		}
	}
	return refused(n)
}

func (a allowed) name(n *parse.IdentifierNode) error {
	if _, ok := (Vars{}).functions()[n.Ident]; !ok || isVariables(n) {
		return refused(n)
	}
	return nil
}

// has fails for a variable that is not set, where text/template would print nothing or "<no value>".
func (a allowed) has(key string) error {
	if _, ok := a.variables[key]; ok {
		return nil
	}
	keys := make([]string, 0, len(a.variables))
	for k := range a.variables {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	known := "has none"
	if len(keys) > 0 {
		known = "has " + strings.Join(keys, ", ")
	}
	return fmt.Errorf("variable %q is not among the metric's templateVariables, which %s", key, known)
}

func isVariables(n parse.Node) bool {
	id, ok := n.(*parse.IdentifierNode)
	return ok && id.Ident == "variables"
}

func refused(n parse.Node) error {
	return fmt.Errorf("%q cannot be used in a query", OneLine(n.String(), 60))
}
