package main

import (
	"context"
	"errors"
	"strings"

	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/checkup"
	"chatlake/schemas"
)

// behindCredentials are the checks of a platform that need its credentials.
var behindCredentials = []string{checkup.Clock, checkup.Scopes}

// off skips a platform; it reports whether it is to be asked.
func (r *checkRun) off(platform string, credentials bool, prefix string) (why string) {
	s := r.with.Broken(prefix, "PLATFORM_")
	switch {
	case s != "":
		why = broken(s)
	case !credentials:
		why = "it has no credentials (" + prefix + "…), so it is off"
	default:
		return ""
	}
	r.skip(platform, why, append([]string{checkup.Credentials}, behindCredentials...)...)
	return why
}

// clock judges what a platform's answers told of the time.
func (r *checkRun) clock(platform string, from *worker.Dated) {
	ahead, known := from.Ahead()
	if !known {
		r.skip(platform, "no answer tells the time", checkup.Clock)
		return
	}
	r.report.Add(checkup.Skew(platform, ahead))
}

// feishu tries the app's credentials, then what they are good for.
func (r *checkRun) feishu(ctx context.Context) {
	f := &r.with.Extractor.Feishu
	if r.whyNotFeishu = r.off(schemas.Feishu, f.AppID != "", "FEISHU_"); r.whyNotFeishu != "" {
		return
	}
	config, probe := f.Probe(r.log)
	first, cancel := context.WithTimeout(ctx, firstTime)
	err := feishu.Authenticate(first, config)
	cancel()
	r.clock(schemas.Feishu, probe.Clock)
	if err != nil {
		r.whyNotFeishu = "the credentials could not be tried, or are refused"
		r.report.Add(checkup.Call(checkup.Credentials, schemas.Feishu, err))
		r.skip(schemas.Feishu, r.whyNotFeishu, checkup.Scopes)
		return
	}
	r.report.Add(checkup.Good(checkup.Credentials, schemas.Feishu, "the platform gives app "+f.AppID+" a token"))
	rest, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	r.feishuScopes(rest, probe.Call)
	r.askFeishu = func(ctx context.Context, c *schemas.Container) error { return feishu.Probe(ctx, probe.Call, c) }
}

// Scopes of Feishu, by the call that shows them.
const (
	chatsScope    = "feishu im:chat:readonly"
	messagesScope = "feishu im:message.group_msg, im:message:readonly"
	// scopeChats is how many chats are asked about where chat after chat is refused as all are without the scope.
	scopeChats = 3
)

// feishuScopes lists chats, and messages of one of them.
func (r *checkRun) feishuScopes(ctx context.Context, call connectors.Call) {
	var chats []string
	var broke error
	for chat, err := range feishu.Chats(ctx, call) {
		if broke = err; err != nil {
			break
		}
		if chats = append(chats, chat.ID); len(chats) == scopeChats {
			break
		}
	}
	if broke != nil && len(chats) == 0 {
		r.report.Add(checkup.Call(checkup.Scopes, chatsScope, broke))
		r.skip(messagesScope, "no chat is known to ask about", checkup.Scopes)
		return
	}
	r.report.Add(checkup.Good(checkup.Scopes, chatsScope, "the platform lists the bot's chats"))
	if len(chats) == 0 {
		r.skip(messagesScope, "the bot is in no group chat that could be asked about", checkup.Scopes)
		return
	}
	var err error
	for _, id := range chats {
		err = feishu.Probe(ctx, call, &schemas.Container{Kind: schemas.KindChat, ID: id})
		var e *connectors.Error
		refused := errors.As(err, &e)
		if refused && feishu.NoGroupMessages(e) {
			continue // this chat alone, perhaps
		}
		if refused && e.Class == connectors.ClassContainer {
			err = nil // the app may read chats, though not this one
		}
		break
	}
	if err != nil {
		r.report.Add(checkup.Call(checkup.Scopes, messagesScope, err))
		return
	}
	r.report.Add(checkup.Good(checkup.Scopes, messagesScope, "the platform lists messages"))
}

// yunxin tries the app's signature, on a conversation that nobody has, and whether both APIs take it.
func (r *checkRun) yunxin(ctx context.Context) {
	y := &r.with.Extractor.Yunxin
	if r.whyNotYunxin = r.off(schemas.Yunxin, y.AppKey != "", "YUNXIN_"); r.whyNotYunxin != "" {
		return
	}
	probe := y.Probe(r.log)
	first, cancel := context.WithTimeout(ctx, firstTime)
	err := yunxin.Taken(first, probe.Call, y.APIVersion)
	cancel()
	r.clock(schemas.Yunxin, probe.Clock)
	if err != nil {
		r.whyNotYunxin = "the credentials could not be tried, or are refused"
		r.report.Add(checkup.Call(checkup.Credentials, schemas.Yunxin, err))
		r.skip(schemas.Yunxin, r.whyNotYunxin, checkup.Scopes)
		return
	}
	r.report.Add(checkup.Good(checkup.Credentials, schemas.Yunxin, "the platform takes the app's signature"))
	rest, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	if err := yunxin.BatchTaken(rest, probe.Call, y.APIVersion); err != nil {
		r.report.Add(checkup.Call(checkup.Scopes, schemas.Yunxin, err))
	} else {
		r.report.Add(checkup.Good(checkup.Scopes, schemas.Yunxin, "both APIs answer: histories, and messages by their ids"))
	}
	r.askYunxin = func(ctx context.Context, c *schemas.Container) error {
		return yunxin.Probe(ctx, probe.Call, y.APIVersion, c)
	}
}

// tenantOf is the tenant whose containers of a platform are read here, "" where it is off.
func (r *checkRun) tenantOf(platform string) string {
	switch platform {
	case schemas.Feishu:
		if r.with.Extractor.AppID != "" {
			return r.with.Extractor.Tenant
		}
	case schemas.Yunxin:
		return r.with.Extractor.AppKey
	}
	return ""
}

// asker gives what asks a platform about a container, or why it is not asked.
func (r *checkRun) asker(platform string) (ask func(context.Context, *schemas.Container) error, why string) {
	if strings.HasPrefix(platform, schemas.Yunxin) {
		return r.askYunxin, r.whyNotYunxin
	}
	return r.askFeishu, r.whyNotFeishu
}
