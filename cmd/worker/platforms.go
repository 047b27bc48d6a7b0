package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
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
func (s *ExtractorSettings) platforms(pacer *api.Pacer, logger *slog.Logger) map[string]extract.Platform {
	on := map[string]extract.Platform{}
	if f := &s.Feishu; f.AppID != "" {
		health := api.NewHealth(schemas.Feishu, logger)
		on[schemas.Feishu] = extract.Platform{
			Source: feishu.NewSource(f.watched(pacer, health, logger), f.Tenant), TenantID: f.Tenant, AppID: f.AppID, Health: health,
		}
	}
	if y := &s.Yunxin; y.AppKey != "" {
		health := api.NewHealth(schemas.Yunxin, logger)
		on[schemas.Yunxin] = extract.Platform{Source: y.source(pacer, health, logger), TenantID: y.AppKey, AppID: y.AppKey, Health: health}
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

// compose is what every call of an API goes through: it is retried, each try waits for its budget, and is sent only where the
// API is not out.
func compose(call connectors.Call, pacer *api.Pacer, health *api.Health, logger *slog.Logger) connectors.Call {
	return api.Retry(api.Pace(api.Watch(call, health), pacer), api.Policy{Pacer: pacer, Logger: logger})
}

// Call gives Feishu's API with the app's token.
func (f *Feishu) Call(pacer *api.Pacer, logger *slog.Logger) connectors.Call {
	return f.watched(pacer, api.NewHealth(schemas.Feishu, logger), logger)
}

func (f *Feishu) watched(pacer *api.Pacer, health *api.Health, logger *slog.Logger) connectors.Call {
	return compose(feishu.NewCall(f.config(logger)), pacer, health, logger)
}

// authenticateTime bounds how long a start waits for the platform to say whether it takes the app's credentials.
const authenticateTime = 15 * time.Second

// authenticate gives an error where the platform refuses the app's credentials. One that gives no answer says nothing of them:
// the worker begins, and waits for it like for any outage.
func (f *Feishu) authenticate(ctx context.Context, logger *slog.Logger) error {
	if f.AppID == "" {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, authenticateTime)
	defer cancel()
	err := feishu.Authenticate(bounded, f.config(logger))
	var e *connectors.Error
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &e) && e.Class == connectors.ClassFatal:
		return err
	default:
		logger.Warn("the platform does not tell whether it takes the app's credentials: going on", "platform", schemas.Feishu, "error", err)
	}
	return nil
}

func (f *Feishu) config(logger *slog.Logger) feishu.Config {
	return feishu.Config{
		AppID: f.AppID, AppSecret: string(f.AppSecret), Tenant: f.Tenant, BaseURL: f.BaseURL,
		ConnectorVersion: "chatlake/" + Version, RootCAs: f.roots, Logger: logger,
	}
}

// Call gives Yunxin's API, each try signed for itself. An API that is refused for its quota (416) rests as a whole, whichever
// container's call it was.
func (y *Yunxin) Call(pacer *api.Pacer, logger *slog.Logger) connectors.Call {
	return compose(yunxin.NewCall(y.config(logger)), pacer, api.NewHealth(schemas.Yunxin, logger), logger)
}

// source reads with calls of the API and, retried but not paced, of the hosts of merged files.
func (y *Yunxin) source(pacer *api.Pacer, health *api.Health, logger *slog.Logger) connectors.Source {
	return yunxin.NewSource(yunxin.SourceConfig{
		Call:   compose(yunxin.NewCall(y.config(logger)), pacer, health, logger),
		Fetch:  api.Retry(api.Watch(yunxin.NewFetch(y.config(logger)), health), api.Policy{Logger: logger}),
		AppKey: y.AppKey, APIVersion: y.APIVersion,
	})
}

func (y *Yunxin) config(logger *slog.Logger) yunxin.Config {
	return yunxin.Config{
		AppKey: y.AppKey, AppSecret: string(y.AppSecret), BaseURL: y.BaseURL, APIVersion: y.APIVersion, FileHosts: y.FileHosts,
		ConnectorVersion: "chatlake/" + Version, RootCAs: y.roots, Logger: logger,
	}
}
