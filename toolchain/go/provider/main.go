// The Docker provider for the Pulumi engine: the Terraform provider for Docker behind Pulumi's bridge.
//
// It registers the resources and functions under the names that Pulumi's own Docker package gives them, so that the
// published Python package talks to it unchanged. It leaves out docker:index/image:Image, which is Pulumi's own code
// and not the upstream provider's.
package main

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	sdk "github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// version is the version of Pulumi's Docker package that this provider serves; the linker sets it.
var version string

const name = "docker"

// resource makes a resource's token: Container becomes docker:index/container:Container.
func resource(kind string) sdk.Type {
	return sdk.Type(fmt.Sprintf("%s:index/%s%s:%s", name, strings.ToLower(kind[:1]), kind[1:], kind))
}

// function makes a function's token: getNetwork becomes docker:index/getNetwork:getNetwork.
func function(kind string) sdk.ModuleMember {
	return sdk.ModuleMember(fmt.Sprintf("%s:index/%s:%s", name, kind, kind))
}

func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(shim.New(version)),
		Name:    name,
		Version: version,
		Config: map[string]*tfbridge.SchemaInfo{
			"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
		},
		// Only what differs from the rule "docker_volume becomes Volume" is listed.
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_config": {Tok: resource("ServiceConfig")},
			"docker_container": {
				Tok: resource("Container"),
				// A container's name is fixed, so the old one must be gone before the new one is made.
				DeleteBeforeReplace: true,
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           {Name: "command"},
					"networks_advanced": {Name: "networksAdvanced"},
				},
			},
			"docker_image": {
				Tok:    resource("RemoteImage"),
				Fields: map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}},
			},
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image": {Tok: function("getRemoteImage")},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard(name)))
	info.SetAutonaming(255, "-")
	return info
}

func main() {
	schema := fmt.Sprintf(`{"name": %q, "version": %q}`, name, version)
	tfbridge.Main(name, version, provider(), []byte(schema))
}
