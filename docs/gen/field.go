package main

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// typeName is the type of a field as users write it, linked to the section that shows its fields.
func typeName(s schema, path string) string {
	switch {
	case s.XIntOrString:
		return "integer or string"
	case s.Items != nil && s.Items.Schema != nil:
		return "list of " + typeName(*s.Items.Schema, path)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return "map of " + typeName(*s.AdditionalProperties.Schema, path)
	case path != "":
		return fmt.Sprintf("[%s](#%s)", s.Type, anchor(path))
	case s.Format == "date-time":
		return "time"
	default:
		return s.Type
	}
}

// describe is the text of a field and what the API server asks of it.
func describe(s schema, required bool) string {
	var text []string
	if required {
		text = append(text, "**Required.**")
	}
	if s.Description != "" {
		text = append(text, cell(s.Description))
	}
	text = append(text, values(s)...)
	text = append(text, sizes(s)...)
	if s.Items != nil && s.Items.Schema != nil {
		for _, limit := range values(*s.Items.Schema) {
			text = append(text, "Each: "+limit)
		}
	}
	// The rules of an object stand in its own section.
	if len(s.Properties) == 0 {
		for _, r := range s.XValidations {
			text = append(text, rule(r))
		}
	}
	return strings.Join(text, " ")
}

func values(s schema) []string {
	var text []string
	if len(s.Enum) > 0 {
		var words []string
		for _, v := range s.Enum {
			words = append(words, strings.Trim(string(v.Raw), `"`))
		}
		text = append(text, "One of "+code(words, ", ")+".")
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		text = append(text, fmt.Sprintf("%v to %v.", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		text = append(text, fmt.Sprintf("At least %v.", *s.Minimum))
	case s.Maximum != nil:
		text = append(text, fmt.Sprintf("At most %v.", *s.Maximum))
	}
	if s.Pattern != "" {
		text = append(text, "Pattern "+cell("`"+s.Pattern+"`")+".")
	}
	if s.Default != nil && string(s.Default.Raw) != `""` {
		text = append(text, "Written when absent: `"+string(s.Default.Raw)+"`.")
	}
	return text
}

func sizes(s schema) []string {
	var text []string
	if s.MaxLength != nil {
		text = append(text, fmt.Sprintf("At most %d characters.", *s.MaxLength))
	}
	if s.MaxItems != nil {
		text = append(text, fmt.Sprintf("At most %d items.", *s.MaxItems))
	}
	if s.MaxProperties != nil {
		text = append(text, fmt.Sprintf("At most %d keys.", *s.MaxProperties))
	}
	return text
}

// rule is what the API server says to who breaks it. Messages are plain text, not Markdown.
func rule(r apiextensionsv1.ValidationRule) string {
	return "Rule: " + strings.ReplaceAll(cell(r.Message), "<", "&lt;") + "."
}

// code lists words in code font. An empty word is written as users write it.
func code(words []string, sep string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" {
			w = `""`
		}
		quoted[i] = "`" + w + "`"
	}
	return strings.Join(quoted, sep)
}

// prose is a doc comment as one paragraph.
func prose(s string) string { return strings.Join(strings.Fields(s), " ") }

// cell is prose that does not break a table.
func cell(s string) string { return strings.ReplaceAll(prose(s), "|", `\|`) }
