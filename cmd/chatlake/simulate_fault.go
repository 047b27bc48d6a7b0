package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatlake/schemas"
	"chatlake/simulator"
)

const faultKeys = "action, api, container, chat, type, message, from, every, times, each, status, code, msg, delay, bytes, item, broken"

// Actions of faults: those that every platform knows, and those of one alone.
var (
	actions = []simulator.Action{
		simulator.Reset, simulator.Hang, simulator.Cut, simulator.HTML, simulator.Answer, simulator.Throttle, simulator.Slow,
		simulator.SkewClock, simulator.RefusePageToken, simulator.RepeatPageToken, simulator.CyclePageTokens,
		simulator.NoPageToken, simulator.EmptyPage, simulator.LastPageToken, simulator.BigPage, simulator.BreakItem,
	}
	feishuActions = []simulator.Action{simulator.RevokeToken}
	yunxinActions = []simulator.Action{
		simulator.FailItems, simulator.DropItem, simulator.RepeatItem, simulator.StrangeItem, simulator.NoLists, simulator.NullLists,
	}
	allActions = slices.Concat(actions, feishuActions, yunxinActions)
)

var (
	feishuAPIs = []simulator.API{
		simulator.APIToken, simulator.APIChats, simulator.APIChat, simulator.APIMessages, simulator.APIMessage,
	}
	yunxinAPIs = []simulator.API{simulator.APIHistory, simulator.APIBatch, simulator.APIMergedFile}
)

var breaks = []simulator.Broken{
	simulator.NullItem, simulator.WrongTypes, simulator.NoMessageID, simulator.BrokenContent, simulator.InvalidUTF8,
	simulator.UnknownType, simulator.AbsurdTimes, simulator.NumbersForStrings,
}

// faultsOf gives the faults that may act on a platform: not those whose API or action is of another alone.
func faultsOf(platform string, faults []simulator.Fault) []simulator.Fault {
	apis, doings := yunxinAPIs, yunxinActions // the others'
	if platform == schemas.Yunxin {
		apis, doings = feishuAPIs, feishuActions
	}
	return slices.DeleteFunc(slices.Clone(faults), func(f simulator.Fault) bool {
		return slices.Contains(apis, f.API) || slices.Contains(doings, f.Action)
	})
}

func joined[T ~string](words []T) string {
	var s []string
	for _, w := range words {
		s = append(s, string(w))
	}
	return strings.Join(s, ", ")
}

// parseFaults reads --fault flags, each key=value separated by commas.
func parseFaults(flags []string) ([]simulator.Fault, error) {
	var faults []simulator.Fault
	for _, flag := range flags {
		f := simulator.Fault{}
		for part := range strings.SplitSeq(flag, ",") {
			key, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil, usagef("--fault %q: %q is not key=value", flag, part)
			}
			if err := setFault(&f, strings.TrimSpace(key), value); err != nil {
				return nil, usagef("--fault %q: %w", flag, err)
			}
		}
		if f.Action == "" {
			return nil, usagef("--fault %q: action is missing: one of %s", flag, joined(allActions))
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func setFault(f *simulator.Fault, key, value string) (err error) {
	switch key {
	case "action":
		f.Action, err = oneOf(value, allActions)
	case "api":
		f.API, err = oneOf(value, slices.Concat(feishuAPIs, yunxinAPIs))
	case "broken":
		f.Broken, err = oneOf(value, breaks)
	case "container":
		f.Container = value
	case "chat":
		f.Chat = value
	case "type":
		f.MsgType = value
	case "message":
		f.Message = value
	case "msg":
		f.Msg = value
	case "each":
		f.Each, err = strconv.ParseBool(value)
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	default:
		return setFaultNumber(f, key, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func setFaultNumber(f *simulator.Fault, key, value string) error {
	number := map[string]*int{
		"from": &f.From, "every": &f.Every, "times": &f.Times, "status": &f.Status, "code": &f.Code, "bytes": &f.Bytes, "item": &f.Item,
	}[key]
	if number == nil {
		return fmt.Errorf("%q is none of %s", key, faultKeys)
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%s %q is not a whole number", key, value)
	}
	*number = n
	return nil
}

func oneOf[T ~string](value string, words []T) (T, error) {
	if !slices.Contains(words, T(value)) {
		return "", fmt.Errorf("%q is none of %s", value, joined(words))
	}
	return T(value), nil
}
