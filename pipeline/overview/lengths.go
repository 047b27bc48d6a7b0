package overview

import "math"

// lengths tells how many pages a container is expected to have beyond those that were read, from the others of its kind. Those that
// have not ended count as longer than what was read of them: else many short ones would hide the few long ones, which end last.
//
// Lengths are taken to follow a log-normal law. Which one is weighed by how well it explains what is known; before much has ended,
// many explain it equally well, and then shorter ones and moderately spread ones count for more.
type lengths struct {
	open, ended map[int64]float64 // containers by pages read
	laws        []law             // made when they are needed
}

// law is a log-normal law of lengths, and how likely it is.
type law struct{ mu, sigma, weight float64 }

// What holds before anything is known: a law is as likely as median^-medianFalls, and its spread is usualSpread, give or take.
const (
	medianFalls = 1.1
	usualSpread = 0.5
	spreadOf    = 0.5 // standard deviation of the spread's logarithm
	// mostRest bounds what is expected of one container, in lengths of what was read: a law's mean is ruled by what hardly ever happens.
	mostRest = 6
)

// add counts a container of which so many pages were read.
func (l *lengths) add(pages int64, ended bool) {
	if pages <= 0 {
		return
	}
	if l.open == nil {
		l.open, l.ended = map[int64]float64{}, map[int64]float64{}
	}
	l.laws = nil
	if ended {
		l.ended[pages]++
		return
	}
	l.open[pages]++
}

// weigh works out how likely each law is.
func (l *lengths) weigh() {
	best := math.Inf(-1)
	for mu := -3.0; mu < 12; mu += 0.2 {
		for sigma := 0.15; sigma < 3; sigma *= 1.25 {
			w := law{mu: mu, sigma: sigma}
			w.weight = l.likelihood(w) - medianFalls*max(0, mu) - math.Pow(math.Log(sigma/usualSpread)/spreadOf, 2)/2
			best = max(best, w.weight)
			l.laws = append(l.laws, w)
		}
	}
	sum := 0.0
	for i := range l.laws {
		l.laws[i].weight = math.Exp(l.laws[i].weight - best)
		sum += l.laws[i].weight
	}
	for i := range l.laws {
		l.laws[i].weight /= sum
	}
}

// likelihood is the logarithm of how likely a law makes what is known.
func (l *lengths) likelihood(w law) (p float64) {
	const least = 1e-300 // no law is ruled out
	for n, count := range l.open {
		p += count * math.Log(w.beyond(float64(n))+least)
	}
	for n, count := range l.ended {
		p += count * math.Log(w.beyond(float64(n-1))-w.beyond(float64(n))+least)
	}
	return p
}

// after is how many pages are expected beyond the n that were read of a container that has not ended, one at least; false where nothing
// of its kind has been read.
func (l *lengths) after(n int64) (pages float64, ok bool) {
	if len(l.open)+len(l.ended) == 0 {
		return 0, false
	}
	if l.laws == nil {
		l.weigh()
	}
	for _, w := range l.laws {
		if w.weight > 1e-6 {
			pages += w.weight * min(w.rest(float64(n)), mostRest*float64(max(n, 3)))
		}
	}
	return max(1, pages), true
}

// mean is how many pages one is expected to have that nothing was read of, 1 where nothing is known.
func (l *lengths) mean() float64 {
	n, _ := l.after(0)
	return max(1, n)
}

// beyond is the part of lengths above x, before they are rounded up to whole pages.
func (w law) beyond(x float64) float64 {
	if x <= 0 {
		return 1
	}
	return math.Erfc((math.Log(x)-w.mu)/(w.sigma*math.Sqrt2)) / 2
}

// rest is how many pages those that are longer than n have beyond n on average: the first ones counted page by page, what is beyond
// them by the law's mean.
func (w law) rest(n float64) float64 {
	const counted, never = 4, 1e-12
	longer := w.beyond(n)
	if longer < never {
		return 1
	}
	sum, to := 0.0, n+counted
	for ; n < to; n++ {
		sum += w.beyond(n) / longer
	}
	b := w.beyond(n)
	if b < never {
		return sum
	}
	shifted := law{mu: w.mu + w.sigma*w.sigma, sigma: w.sigma}
	mean := math.Exp(w.mu+w.sigma*w.sigma/2) * shifted.beyond(n) / b // of those that are longer than n
	return sum + b/longer*(mean-n+0.5)
}
