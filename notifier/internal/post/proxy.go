package post

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"golang.org/x/net/http/httpproxy"
)

// proxyFunc reads the environment now, not once for the life of the process as net/http does.
func proxyFunc(service, proxy string) (func(*http.Request) (*url.URL, error), error) {
	if proxy == "" {
		environment := httpproxy.FromEnvironment().ProxyFunc()
		return func(r *http.Request) (*url.URL, error) { return environment(r.URL) }, nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, fmt.Errorf("%s's proxy is not a URL like http://proxy.example:3128 (it is not shown here because it may hold a password)", service)
	}
	return http.ProxyURL(u), nil
}
