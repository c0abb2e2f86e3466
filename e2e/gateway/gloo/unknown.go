package gloo

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// unknownFields lists the paths in raw that the type of into has no field for,
// sorted, so that a status made of them is the same each time.
func unknownFields(raw, into any) []string {
	var found []string
	walkUnknown("", raw, reflect.TypeOf(into), &found)
	slices.Sort(found)
	return slices.Compact(found)
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func walkUnknown(path string, raw any, t reflect.Type, found *[]string) {
	// A type below the top that reads itself also reports for itself.
	if path != "" && reflect.PointerTo(t).Implements(unmarshaler) {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		walkUnknown(path, raw, t.Elem(), found)
	case reflect.Slice:
		list, _ := raw.([]any)
		for _, item := range list {
			walkUnknown(path, item, t.Elem(), found)
		}
	case reflect.Struct:
		object, _ := raw.(map[string]any)
		fields := jsonFields(t)
		for key, value := range object {
			if field, ok := fields[key]; ok {
				walkUnknown(join(path, key), value, field, found)
			} else {
				*found = append(*found, join(path, key))
			}
		}
	default: // a value has nothing below it
	}
}

func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
