// Command oracle answers questions about a tailnet policy by an implementation that is not the project's own.
//
// It reads one JSON array of cases on stdin and writes one JSON array of answers on stdout. The policy is compiled by
// headscale, and each packet is judged by the packet filter that every Tailscale client runs, on the destination's side.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"os"

	policyv2 "github.com/juanfont/headscale/hscontrol/policy/v2"
	"github.com/juanfont/headscale/hscontrol/types"
	"github.com/rs/zerolog"
	"go4.org/netipx"
	"gorm.io/gorm"
	"tailscale.com/types/ipproto"
	"tailscale.com/types/logger"
	"tailscale.com/wgengine/filter"
)

// Device is a machine of the tailnet: owned by a user, or tagged.
type Device struct {
	Name    string   `json:"name"`
	User    string   `json:"user"`
	Tags    []string `json:"tags"`
	Address string   `json:"address"`
}

// Question asks whether a packet from one address to another is let in.
type Question struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Port        uint16 `json:"port"`
	Protocol    uint8  `json:"protocol"`
}

// Case is a policy, the devices it is applied to, and the questions about it.
type Case struct {
	Policy    json.RawMessage `json:"policy"`
	Devices   []Device        `json:"devices"`
	Questions []Question      `json:"questions"`
}

// Answer holds one verdict for each question, or why the policy was refused.
type Answer struct {
	Error    string `json:"error,omitempty"`
	Verdicts []bool `json:"verdicts,omitempty"`
}

func main() {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	var cases []Case
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatalf("the cases on stdin can't be read: %v", err)
	}
	answers := make([]Answer, len(cases))
	for number, given := range cases {
		verdicts, err := judge(given)
		if err != nil {
			answers[number].Error = err.Error()
			continue
		}
		answers[number].Verdicts = verdicts
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatalf("the answers can't be written: %v", err)
	}
}

func judge(given Case) ([]bool, error) {
	users, nodes, err := inhabitants(given.Devices)
	if err != nil {
		return nil, err
	}
	manager, err := policyv2.NewPolicyManager(given.Policy, users, nodes.ViewSlice())
	if err != nil {
		return nil, err
	}
	filters := map[netip.Addr]*filter.Filter{}
	verdicts := make([]bool, len(given.Questions))
	for number, asked := range given.Questions {
		source, err := netip.ParseAddr(asked.Source)
		if err != nil {
			return nil, err
		}
		destination, err := netip.ParseAddr(asked.Destination)
		if err != nil {
			return nil, err
		}
		if filters[destination] == nil {
			filters[destination], err = filterAt(destination, nodes, manager)
			if err != nil {
				return nil, err
			}
		}
		response := filters[destination].Check(source, destination, asked.Port, ipproto.Proto(asked.Protocol))
		verdicts[number] = response == filter.Accept
	}
	return verdicts, nil
}

// inhabitants turns the devices into headscale's users and nodes.
func inhabitants(devices []Device) (types.Users, types.Nodes, error) {
	var users types.Users
	var nodes types.Nodes
	numbers := map[string]uint{}
	for number, device := range devices {
		if _, known := numbers[device.User]; !known {
			numbers[device.User] = uint(len(numbers) + 1)
			users = append(users, types.User{
				Model: gorm.Model{ID: numbers[device.User]}, Name: device.User, Email: device.User,
			})
		}
		address, err := netip.ParseAddr(device.Address)
		if err != nil {
			return nil, nil, fmt.Errorf("device %s: %w", device.Name, err)
		}
		node := &types.Node{
			ID: types.NodeID(number + 1), Hostname: device.Name,
			UserID: numbers[device.User], User: users[numbers[device.User]-1], ForcedTags: device.Tags,
		}
		if address.Is4() {
			node.IPv4 = &address
		} else {
			node.IPv6 = &address
		}
		nodes = append(nodes, node)
	}
	return users, nodes, nil
}

// filterAt is the packet filter of the device with this address; an address of no device stands behind a router that
// has all rules.
func filterAt(address netip.Addr, nodes types.Nodes, manager *policyv2.PolicyManager) (*filter.Filter, error) {
	rules, _ := manager.Filter()
	for _, node := range nodes {
		if node.HasIP(address) {
			var err error
			if rules, err = manager.FilterForNode(node.View()); err != nil {
				return nil, err
			}
		}
	}
	matches, err := filter.MatchesFromFilterRules(rules)
	if err != nil {
		return nil, err
	}
	var local netipx.IPSetBuilder
	local.Add(address)
	own, err := local.IPSet()
	if err != nil {
		return nil, err
	}
	return filter.New(matches, nil, own, nil, nil, logger.Discard), nil
}
