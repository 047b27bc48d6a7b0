package e2e_test

import (
	"strings"
	"time"

	"chatlake/schemas"
	"chatlake/simulator"
)

// yunxinOptions are a simulated Yunxin and how its app is read.
type yunxinOptions struct {
	world   simulator.YunxinOptions
	config  simulator.YunxinConfig
	version string // of the API, "": the program's own choice
}

// serveYunxin puts an app of Yunxin beside what the site has. Its merged files are at the API's own origin.
func (s *site) serveYunxin(o *yunxinOptions) {
	s.t.Helper()
	world, err := simulator.NewYunxinWorld(o.world)
	if err != nil {
		s.t.Fatal(err)
	}
	s.app, s.yunxin = world, simulator.NewYunxin(world, o.config)
	s.yunxinURL = s.listen(s.yunxin)
	key, secret := world.App()
	s.env = append(s.env, "YUNXIN_APP_KEY="+key, "YUNXIN_APP_SECRET="+secret, "YUNXIN_BASE_URL="+s.yunxinURL,
		"YUNXIN_FILE_HOSTS="+s.yunxinURL, "YUNXIN_RATE_PER_SECOND=10000")
	if o.version != "" {
		s.env = append(s.env, "YUNXIN_API_VERSION="+o.version)
	}
}

// talks are the containers of all conversations of the app.
func (s *site) talks() []schemas.Container {
	var out []schemas.Container
	for _, c := range s.app.Conversations() {
		out = append(out, yunxinContainer(s.app, schemas.KindConversation, c.APIID, c.ID))
	}
	return out
}

// yunxinContainer is a container as the operator's tool writes it: its key has the one spelling of the conversation, its id
// that of the API.
func yunxinContainer(w *simulator.YunxinWorld, kind, spelled, conversation string, refs ...schemas.MessageRef) schemas.Container {
	tenant, _ := w.App()
	c := schemas.Container{
		Key: string(schemas.NewContainerKey(schemas.Yunxin, tenant, kind, conversation)), Platform: schemas.Yunxin, TenantID: tenant,
		Kind: kind, ID: spelled, ConversationID: conversation, Refs: refs,
		Mode: "backfill", Cause: schemas.CauseUser, Epoch: 1, RequestedAt: schemas.MillisOf(time.Now()),
	}
	if kind == schemas.KindMessages {
		var ids []string
		for _, r := range refs {
			ids = append(ids, r.MessageID)
		}
		c.Key = string(schemas.MessagesContainerKey(schemas.Yunxin, tenant, conversation, ids))
	}
	return c
}

// toldRequest is how a page tells the request that an exchange answered: of a merged file the address that the message has,
// without what signs it, wherever a redirect led.
func toldRequest(x *simulator.Exchange, origin string) string {
	if x.API != simulator.APIMergedFile {
		return x.Request
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(x.Request, "GET "), "?")
	return origin + strings.Replace(path, "/merged/moved/", "/merged/", 1)
}
