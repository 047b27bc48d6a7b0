package worker

import (
	"log/slog"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/extract"
	"chatlake/schemas"
)

// decoders are those of all platforms: what a normalizer reads does not depend on which ones are on.
var decoders = map[string]func() connectors.Decoder{
	schemas.Feishu: func() connectors.Decoder { return feishu.NewDecoder() },
	schemas.Yunxin: func() connectors.Decoder { return yunxin.NewDecoder() },
}

// platforms wires the sources of the platforms that are on.
func (s *ExtractorSettings) platforms(pacer *connectors.Pacer, logger *slog.Logger) map[string]extract.Platform {
	on := map[string]extract.Platform{}
	if f := &s.Feishu; f.AppID != "" {
		on[schemas.Feishu] = extract.Platform{Source: feishu.NewSource(f.Call(pacer, logger), f.Tenant), TenantID: f.Tenant, AppID: f.AppID}
	}
	if y := &s.Yunxin; y.AppKey != "" {
		on[schemas.Yunxin] = extract.Platform{Source: y.source(pacer, logger), TenantID: y.AppKey, AppID: y.AppKey}
	}
	return on
}

// quotas are those of the APIs that the platforms that are on have. Merged files come from storage that has none.
func (s *ExtractorSettings) quotas() map[string]connectors.Quota {
	all := map[string]connectors.Quota{}
	if f := &s.Feishu; f.AppID != "" {
		for _, api := range []string{schemas.FeishuMessagesList, schemas.FeishuMessagesGet, schemas.FeishuChatsGet} {
			all[api] = connectors.Quota{PerMinute: int(f.PerMinute), PerSecond: int(f.PerSecond)}
		}
	}
	if y := &s.Yunxin; y.AppKey != "" {
		for _, api := range []string{schemas.YunxinMessagesList, schemas.YunxinMessagesBatch} {
			all[api] = connectors.Quota{PerSecond: int(y.PerSecond)}
		}
	}
	return all
}

// Call composes what every call of Feishu goes through: retried, each try paced, with the app's token.
func (f *Feishu) Call(pacer *connectors.Pacer, logger *slog.Logger) connectors.Call {
	call := feishu.NewCall(feishu.Config{
		AppID: f.AppID, AppSecret: string(f.AppSecret), Tenant: f.Tenant, BaseURL: f.BaseURL,
		ConnectorVersion: "chatlake/" + Version, Logger: logger,
	})
	return connectors.Retry(connectors.Pace(call, pacer), connectors.Policy{Pacer: pacer, Logger: logger})
}

// Call composes what every call of Yunxin's API goes through: retried, each try paced and signed anew. An API that is
// refused for its quota (416) rests as a whole, whichever container's call it was.
func (y *Yunxin) Call(pacer *connectors.Pacer, logger *slog.Logger) connectors.Call {
	return connectors.Retry(connectors.Pace(yunxin.NewCall(y.config(logger)), pacer), connectors.Policy{Pacer: pacer, Logger: logger})
}

func (y *Yunxin) source(pacer *connectors.Pacer, logger *slog.Logger) connectors.Source {
	return yunxin.NewSource(yunxin.SourceConfig{
		Call: y.Call(pacer, logger), Fetch: connectors.Retry(yunxin.NewFetch(y.config(logger)), connectors.Policy{Logger: logger}),
		AppKey: y.AppKey, APIVersion: y.APIVersion,
	})
}

func (y *Yunxin) config(logger *slog.Logger) yunxin.Config {
	return yunxin.Config{
		AppKey: y.AppKey, AppSecret: string(y.AppSecret), BaseURL: y.BaseURL, APIVersion: y.APIVersion, FileHosts: y.FileHosts,
		ConnectorVersion: "chatlake/" + Version, Logger: logger,
	}
}
