package configs

import "k8s.io/apimachinery/pkg/runtime"

// Rewrite returns the template, as the API server stores it, with its references turned to copies.
// What has no copy stays a live reference.
func Rewrite(template map[string]any, copies map[ID]string) map[string]any {
	if len(copies) == 0 {
		return template
	}
	t := runtime.DeepCopyJSON(template)
	w := rewriter(copies)
	spec, _ := t["spec"].(map[string]any)
	for v := range objects(spec, "volumes") {
		w.volume(v)
	}
	for _, list := range []string{"initContainers", "containers"} {
		for c := range objects(spec, list) {
			w.environment(c)
		}
	}
	return t
}

type rewriter map[ID]string

// turn sets the name under a key of a reference to that of the copy.
func (w rewriter) turn(kind Kind, reference any, key string) {
	r, ok := reference.(map[string]any)
	if !ok {
		return
	}
	name, _ := r[key].(string)
	if to, ok := w[ID{kind, name}]; ok {
		r[key] = to
	}
}

func (w rewriter) volume(v map[string]any) {
	w.turn(ConfigMap, v["configMap"], "name")
	w.turn(Secret, v["secret"], "secretName")
	projected, _ := v["projected"].(map[string]any)
	for s := range objects(projected, "sources") {
		w.turn(ConfigMap, s["configMap"], "name")
		w.turn(Secret, s["secret"], "name")
	}
}

func (w rewriter) environment(c map[string]any) {
	for from := range objects(c, "envFrom") {
		w.turn(ConfigMap, from["configMapRef"], "name")
		w.turn(Secret, from["secretRef"], "name")
	}
	for e := range objects(c, "env") {
		from, _ := e["valueFrom"].(map[string]any)
		w.turn(ConfigMap, from["configMapKeyRef"], "name")
		w.turn(Secret, from["secretKeyRef"], "name")
	}
}

// objects yields the objects of a list in a field.
func objects(o map[string]any, field string) func(func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		list, _ := o[field].([]any)
		for _, item := range list {
			if m, ok := item.(map[string]any); ok && !yield(m) {
				return
			}
		}
	}
}
