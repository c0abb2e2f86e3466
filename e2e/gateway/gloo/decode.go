package gloo

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// DecodeVirtualService reads a VirtualService; an unreadable one carries Err.
func DecodeVirtualService(u *unstructured.Unstructured) *VirtualService {
	out := &VirtualService{}
	if err := decode(u, out); err != nil {
		return &VirtualService{Object: failed(u, err)}
	}
	return out
}

// DecodeRouteTable reads a RouteTable; an unreadable one carries Err.
func DecodeRouteTable(u *unstructured.Unstructured) *RouteTable {
	out := &RouteTable{}
	if err := decode(u, out); err != nil {
		return &RouteTable{Object: failed(u, err)}
	}
	return out
}

// DecodeUpstream reads an Upstream; an unreadable one carries Err.
func DecodeUpstream(u *unstructured.Unstructured) *Upstream {
	out := &Upstream{}
	if err := decode(u, out); err != nil {
		return &Upstream{Object: failed(u, err)}
	}
	return out
}

func decode(u *unstructured.Unstructured, out any) error {
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func failed(u *unstructured.Unstructured, err error) Object {
	return Object{
		ObjectMeta: metav1.ObjectMeta{Name: u.GetName(), Namespace: u.GetNamespace(), Labels: u.GetLabels()},
		Err:        fmt.Errorf("parsing %s: %w", u.GetKind(), err),
	}
}
