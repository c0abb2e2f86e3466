package main

import (
	"reflect"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// field is one field of a Canary's spec that can be set by itself.
type field struct {
	// path as users write it: analysis.steps[].weight.
	path string
	// required within its object: without the field there is none of these.
	required bool
	way      []step
}

// step is one field on the way from the spec to another: CanaryStep.Weight at analysis.steps[].weight.
type step struct{ owner, name, path string }

const module = "github.com/serin-dev/serin"

// fields lists all fields of the spec, in the order of the types.
func fields() []field { return below(reflect.TypeFor[v1beta1.CanarySpec](), nil) }

func below(t reflect.Type, way []step) []field {
	var all []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := name
		if len(way) > 0 {
			path = way[len(way)-1].path + "." + name
		}
		inner, suffix := elem(f.Type)
		next := append(append([]step{}, way...), step{t.Name() + "." + f.Name, f.Name, path + suffix})
		if opened(inner, path) {
			all = append(all, below(inner, next)...)
			continue
		}
		all = append(all, field{path: path, way: next,
			required: !strings.Contains(options, "omitempty") && len(way) > 0})
	}
	return all
}

// elem is the type behind pointers, lists and maps.
func elem(t reflect.Type) (reflect.Type, string) {
	suffix := ""
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Slice:
			t, suffix = t.Elem(), suffix+"[]"
		default:
			return t, suffix
		}
	}
}

// opened is true for an object whose fields get rows of their own. A reference is one field, and what a
// step shares with the whole analysis has its rows there.
func opened(t reflect.Type, path string) bool {
	switch t {
	case reflect.TypeFor[v1beta1.LocalObjectReference](), reflect.TypeFor[v1beta1.CrossNamespaceObjectReference](),
		reflect.TypeFor[v1beta1.CrossNamespaceNameReference](), reflect.TypeFor[v1beta1.StringMatch]():
		return false
	}

	shared := t == reflect.TypeFor[v1beta1.CanaryMetric]() || t == reflect.TypeFor[v1beta1.CanaryWebhook]() || t == reflect.TypeFor[v1beta1.CanaryMatch]()
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.PkgPath(), module) &&
		(!shared || !strings.HasPrefix(path, "analysis.steps[]."))
}

// set makes two copies of a Canary: both with the objects on the way to the field, one with the field.
func (f field) set(c *v1beta1.Canary) (without, with *v1beta1.Canary) {
	without, with = c.DeepCopy(), c.DeepCopy()
	if !f.required {
		f.reach(without)
		f.need(without)
	}
	at := f.reach(with)
	f.need(with)
	give(at, f.path)
	return without, with
}

func (f field) need(c *v1beta1.Canary) {
	if need, ok := needs[f.path]; ok {
		need(c)
	}
}

// reach goes to the field and makes what is missing on the way. A list gets one more element.
func (f field) reach(c *v1beta1.Canary) reflect.Value {
	v := reflect.ValueOf(&c.Spec).Elem()
	for i, s := range f.way {
		v = v.FieldByName(s.name)
		for i < len(f.way)-1 && v.Kind() != reflect.Struct {
			v = inside(v)
		}
	}
	return v
}

// inside is the object behind a pointer, or a new element of a list.
func inside(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Slice {
		v.Set(reflect.Append(v, sample(v.Type().Elem())))
		return v.Index(v.Len() - 1)
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
		v.Elem().Set(sample(v.Type().Elem()))
	}
	return v.Elem()
}

// sample is an object with what it needs to be one.
func sample(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	if s, ok := samples[t]; ok {
		v.Set(reflect.ValueOf(s))
	}
	return v
}

// give sets a field to something that it is not by itself.
func give(v reflect.Value, path string) {
	if value, ok := values[path]; ok {
		v.Set(reflect.ValueOf(value))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		give(v.Elem(), path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON that is passed on as it is
			v.SetBytes([]byte(`{"other": 1}`))
			return
		}
		one := sample(v.Type().Elem())
		if one.IsZero() {
			give(one, path)
		}
		v.Set(reflect.Append(v, one))
	case reflect.Map:
		one := reflect.New(v.Type().Elem()).Elem()
		give(one, path)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x-other"), one)
	case reflect.Struct:
		if one := sample(v.Type()); !one.IsZero() {
			v.Set(one)
			return
		}
		give(v.Field(0), path)
	case reflect.String:
		v.SetString("other")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		v.SetInt(30)
	}
}
