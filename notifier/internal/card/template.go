package card

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/serin-dev/serin/notifier"
)

// fields are all that a template reaches: plain values, without methods.
type fields struct {
	Canary, Namespace, Kind, Severity, What, Why, Next, From, To, Phase, Cluster string

	Weight  float64
	Rollout int64
}

// Template is a user's text around the fields of a message, for one service.
type Template struct {
	// body is nil where there is no template.
	body   *template.Template
	escape func(string) string
}

// functions are those of text/template that can neither grow a text nor call anything.
var functions = map[string]any{
	"and": true, "or": true, "not": true,
	"eq": true, "ne": true, "lt": true, "le": true, "gt": true, "ge": true,
}

// maxTemplate is the longest that a template's text becomes, in bytes.
const maxTemplate = 16 << 10

// ParseTemplate reads a template, which may be empty; its errors say where it is wrong. Nothing in it
// can repeat: what it writes is bounded by its own length and that of the message. What it takes from
// the message goes through escape; its own words are the user's markup and stay as they are.
func ParseTemplate(text string, escape func(string) string) (Template, error) {
	t := Template{escape: escape}
	if strings.TrimSpace(text) == "" {
		return t, nil
	}
	tree, err := parse.New("line").Parse(text, "", "", map[string]*parse.Tree{}, functions)
	if err == nil {
		err = walk{tree: tree, message: true}.list(tree.Root)
	}
	if err == nil {
		t.body, err = template.New("line").Funcs(template.FuncMap{escapeName: t.escaped}).AddParseTree("line", tree)
	}
	for i := 0; err == nil && i < len(samples); i++ {
		_, err = t.execute(samples[i])
	}
	if err != nil {
		return Template{}, fmt.Errorf("spec.template of the AlertProvider: %s", OneLine(strings.TrimPrefix(err.Error(), "template: ")))
	}
	return t, nil
}

// samples are messages that a template must bear, whatever it asks of them.
var samples = []notifier.Message{{}, {
	Kind: notifier.Held, Severity: notifier.Warning, Cluster: "cluster", What: "what", Why: "why", Next: "next",
	From: "1", To: "2", Phase: "Progressing", Weight: 50, Rollout: 1,
}}

// Text is what the template makes of a message, or its sentence where the template is empty or makes
// nothing. It expects a bounded message and cuts to so many characters.
func (t Template) Text(m notifier.Message, most int) string {
	if text, ok := t.Own(m, most); ok {
		return text
	}
	line := m.Sentence()
	if m.Cluster != "" {
		line = m.Cluster + " · " + line
	}
	return Clip(LookOf(m).Emoji()+" "+t.escape(line), most)
}

// Own is what the template makes of a message, if there is one and it makes anything of it.
func (t Template) Own(m notifier.Message, most int) (string, bool) {
	if t.body == nil {
		return "", false
	}
	text, err := t.execute(m)
	// It has borne every sample: an error here is one of a comparison in a branch that none of them
	// took, and the message is more than its form.
	return Clip(text, most), err == nil && text != ""
}

func (t Template) escaped(value any) string { return t.escape(fmt.Sprint(value)) }

var errTooLong = errors.New("the text is too long")

func (t Template) execute(m notifier.Message) (string, error) {
	out := &bounded{}
	err := t.body.Execute(out, fields{
		Canary: m.Canary.Name, Namespace: m.Canary.Namespace, Kind: string(m.Kind), Severity: string(m.Severity),
		What: m.What, Why: m.Why, Next: m.Next, From: m.From, To: m.To, Phase: m.Phase, Cluster: m.Cluster,
		Weight: m.Weight, Rollout: m.Rollout,
	})
	if errors.Is(err, errTooLong) {
		err = nil
	}
	return strings.TrimSpace(out.String()), err
}

// bounded takes what fits and ends where a piece does not.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxTemplate {
		_, _ = b.WriteString("…")
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}

// escapeName is the function that each value goes through last. Nobody can call it: it is not among
// the functions that are known while a template is read.
const escapeName = "escape"

// walk refuses what a template must not do, and what would be found out at its first message only. It
// appends the escape to what writes a value.
type walk struct {
	tree *parse.Tree
	// message tells that the dot is the message; within {{with}} it is a value.
	message bool
}

func (w walk) list(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := w.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (w walk) node(n parse.Node) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		err := w.pipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos,
				Args: []parse.Node{parse.NewIdentifier(escapeName).SetPos(n.Pos).SetTree(w.tree)}})
		}
		return err
	case *parse.IfNode:
		return w.branches(n.BranchNode, w)
	case *parse.WithNode:
		return w.branches(n.BranchNode, walk{tree: w.tree})
	default:
		return w.refuse(n, "%s cannot be used here", n.String())
	}
}

// branches walks the first branch with another dot.
func (w walk) branches(n parse.BranchNode, first walk) error {
	return cmp.Or(w.pipe(n.Pipe), first.list(n.List), w.list(n.ElseList))
}

func (w walk) pipe(p *parse.PipeNode) error {
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			if err := w.value(arg); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(c.Args, isWeight) {
			broken(c.Args)
		}
	}
	return nil
}

func isWeight(n parse.Node) bool { return strings.HasSuffix(n.String(), ".Weight") }

// broken makes fractions of whole numbers. A weight has tenths, and text/template compares a fraction
// with nothing else.
func broken(args []parse.Node) {
	for _, arg := range args {
		if n, ok := arg.(*parse.NumberNode); ok && n.IsFloat {
			n.IsInt, n.IsUint, n.Text = false, false, strconv.FormatFloat(n.Float64, 'f', 1, 64)
		}
	}
}

func (w walk) value(n parse.Node) error {
	switch n := n.(type) {
	case *parse.IdentifierNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
		return nil
	case *parse.PipeNode:
		return w.pipe(n)
	case *parse.DotNode:
		if w.message {
			return w.refuse(n, "the whole message has no text; there are %s", fieldList)
		}
		return nil
	case *parse.FieldNode:
		if !w.message {
			return w.refuse(n, "within {{with}} a field begins with $: $%s", n)
		}
		return w.field(n, n.Ident)
	case *parse.VariableNode:
		return w.variable(n)
	default:
		return w.refuse(n, "%s cannot be used here", n)
	}
}

func (w walk) variable(n *parse.VariableNode) error {
	switch {
	case n.Ident[0] == "$":
		return w.field(n, n.Ident[1:])
	case len(n.Ident) == 1:
		return nil
	default:
		return w.refuse(n, "%s has no fields", n.Ident[0])
	}
}

func (w walk) field(n parse.Node, path []string) error {
	if len(path) == 1 && slices.Contains(fieldNames, path[0]) {
		return nil
	}
	return w.refuse(n, "there is no %s; there are %s", n, fieldList)
}

func (w walk) refuse(n parse.Node, format string, args ...any) error {
	where, _ := w.tree.ErrorContext(n)
	return fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}

// fieldNames are the fields in the order of the documentation.
var fieldNames = []string{"Canary", "Namespace", "Kind", "Severity", "What", "Why", "Next", "From", "To", "Weight", "Phase", "Rollout", "Cluster"}

var fieldList = "." + strings.Join(fieldNames, ", .")
