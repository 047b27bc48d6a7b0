package worker

import (
	"log/slog"

	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/plan"
	"chatlake/schemas"
)

// nestedFiles is how many files a merged forward of Yunxin takes to unfold: one, and often another within it. No sample tells it
// without fetching files.
const nestedFiles = 1.5

// Samples gives what estimates are sampled from, by platform: those that are on.
func (s *ToolSettings) Samples(logger *slog.Logger) map[string]*plan.Platform {
	own := ExtractorSettings{Feishu: s.Feishu, Yunxin: s.Yunxin}
	quotas := own.quotas()
	pacer := api.NewPacer(quotas)
	on := map[string]*plan.Platform{}
	if s.Feishu.AppID != "" && s.Feishu.AppSecret != "" {
		on[schemas.Feishu] = &plan.Platform{
			Call: s.Feishu.Call(pacer, logger), Sampler: feishu.Sampler{}, Decoder: feishu.NewDecoder(), Quotas: quotas,
			Expansion: schemas.FeishuMessagesGet, Threads: true, Opening: schemas.FeishuChatsGet, ByID: schemas.FeishuMessagesGet, IDsAtOne: 1, AppID: s.AppID,
		}
	}
	if s.AppKey != "" && s.Yunxin.AppSecret != "" {
		on[schemas.Yunxin] = &plan.Platform{
			Call: s.Yunxin.Call(pacer, logger), Sampler: yunxin.Sampler{APIVersion: s.APIVersion}, Decoder: yunxin.NewDecoder(), Quotas: quotas,
			Expansion: schemas.YunxinMergedFile, Nested: nestedFiles, ByID: schemas.YunxinMessagesBatch, IDsAtOne: 100, AppID: s.AppKey,
		}
	}
	return on
}
