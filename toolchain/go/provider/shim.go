// Package shim opens the upstream provider, whose own package is internal, to the program that serves it.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// New gives the upstream Docker provider.
func New(version string) *schema.Provider {
	return provider.New(version)()
}
