package translate

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func listenerName(s Settings) string { return fmt.Sprintf("listener-%s-%d", s.Address, s.Port) }

func routesName(s Settings) string { return listenerName(s) + "-routes" }

// listener takes HTTP/1.1 and HTTP/2 alike and never changes while Envoy runs,
// so no connection of a client is ever drained for a change of routes.
func listener(s Settings) *listenerv3.Listener {
	manager := &managerv3.HttpConnectionManager{
		CodecType:  managerv3.HttpConnectionManager_AUTO,
		StatPrefix: "http",
		RouteSpecifier: &managerv3.HttpConnectionManager_Rds{Rds: &managerv3.Rds{
			ConfigSource:    overADS(),
			RouteConfigName: routesName(s),
		}},
		NormalizePath:    wrapperspb.Bool(true),
		UseRemoteAddress: wrapperspb.Bool(true),
		HttpFilters: []*managerv3.HttpFilter{{
			Name:       "envoy.filters.http.router",
			ConfigType: &managerv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name:    listenerName(s),
		Address: socket(s.Address, s.Port),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(manager)},
		}}}},
	}
}
