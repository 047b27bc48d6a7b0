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
func (s *ExtractorSettings) platforms(pacer *api.Pacer, m *meter, logger *slog.Logger) map[string]extract.Platform {
	on := map[string]extract.Platform{}
	if f := &s.Feishu; f.AppID != "" {
		health := api.NewHealth(schemas.Feishu, logger)
		on[schemas.Feishu] = extract.Platform{
			Source: feishu.NewSource(f.watched(pacer, health, m, logger), f.Tenant), TenantID: f.Tenant, AppID: f.AppID, Health: health,
		}
	}
	if y := &s.Yunxin; y.AppKey != "" {
		health := api.NewHealth(schemas.Yunxin, logger)
		on[schemas.Yunxin] = extract.Platform{Source: y.source(pacer, health, m, logger), TenantID: y.AppKey, AppID: y.AppKey, Health: health}
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
func compose(call connectors.Call, pacer *api.Pacer, health *api.Health, m *meter, logger *slog.Logger) connectors.Call {
	return m.whole(api.Retry(api.Pace(api.Watch(m.each(call), health), pacer), api.Policy{Pacer: pacer, Logger: logger}))
}

// Call gives Feishu's API with the app's token.
func (f *Feishu) Call(pacer *api.Pacer, logger *slog.Logger) connectors.Call {
	return f.watched(pacer, api.NewHealth(schemas.Feishu, logger), nil, logger)
}

func (f *Feishu) watched(pacer *api.Pacer, health *api.Health, m *meter, logger *slog.Logger) connectors.Call {
	return compose(feishu.NewCall(f.config(logger)), pacer, health, m, logger)
}

// authenticateTime bounds how long a start waits for the platform to say whether it takes the app's credentials.
const authenticateTime = 5 * time.Second

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
		logger.Info(credentialsTaken, "platform", schemas.Feishu)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &e) && e.Class == connectors.ClassFatal:
		return err
	default:
		logger.Warn(credentialsUnknown, "platform", schemas.Feishu, "error", err)
	}
	return nil
}

// What a start says of an app's credentials; that they are refused is said by the error that ends it (Feishu), or by the
// platform's health (Yunxin).
const (
	credentialsTaken   = "the platform takes the app's credentials"
	credentialsUnknown = "the platform does not say whether it takes the app's credentials: going on"
)

// authenticate asks about a conversation that nobody has, with one call of the app's quota, and has all containers wait where
// the platform refuses the app: that shows at the start, not only when there is something to read. It returns within
// authenticateTime once its turn has come.
func (y *Yunxin) authenticate(ctx context.Context, pacer *api.Pacer, health *api.Health, logger *slog.Logger) {
	if pacer.Wait(ctx, schemas.YunxinMessagesList) != nil {
		return // stopped
	}
	bounded, cancel := context.WithTimeout(ctx, authenticateTime)
	defer cancel()
	err := yunxin.Taken(bounded, api.Watch(yunxin.NewCall(y.config(logger)), health), y.APIVersion)
	var e *connectors.Error
	switch {
	case err == nil:
		logger.Info(credentialsTaken, "platform", schemas.Yunxin)
	case ctx.Err() != nil:
	case errors.As(err, &e) && e.Class == connectors.ClassFatal:
		health.Refused(e.API, e.Code, e.Message)
	default:
		logger.Warn(credentialsUnknown, "platform", schemas.Yunxin, "error", err)
	}
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
	return compose(yunxin.NewCall(y.config(logger)), pacer, api.NewHealth(schemas.Yunxin, logger), nil, logger)
}

// source reads with calls of the API and, retried but not paced, of the hosts of merged files.
func (y *Yunxin) source(pacer *api.Pacer, health *api.Health, m *meter, logger *slog.Logger) connectors.Source {
	return yunxin.NewSource(yunxin.SourceConfig{
		Call:   compose(yunxin.NewCall(y.config(logger)), pacer, health, m, logger),
		Fetch:  m.whole(api.Retry(api.Watch(m.each(yunxin.NewFetch(y.config(logger))), health), api.Policy{Logger: logger})),
		AppKey: y.AppKey, APIVersion: y.APIVersion,
	})
}

func (y *Yunxin) config(logger *slog.Logger) yunxin.Config {
	return yunxin.Config{
		AppKey: y.AppKey, AppSecret: string(y.AppSecret), BaseURL: y.BaseURL, APIVersion: y.APIVersion, FileHosts: y.FileHosts,
		ConnectorVersion: "chatlake/" + Version, RootCAs: y.roots, Logger: logger,
	}
}
