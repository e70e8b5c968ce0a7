package main

import (
	"errors"
	"math"
)

// problem is a ridge-penalised logistic regression over sparse rows: minimise
//
//	sum over rows of log(1 + exp(-y * (intercept + sum of weight[c] * value))) + 1/2 * sum of penalty[c] * weight[c]^2
//
// with y = +1 or -1. The last of the weights is the intercept and has no penalty.
type problem struct {
	rows    int
	labels  []bool
	columns func(row int) []int32   // distinct columns of a row; valid until the next call
	values  func(row int) []float64 // their values; nil stands for all ones
	penalty []float64               // by column
}

const (
	maxSteps     = 50
	smallestStep = 1e-6
	tolerance    = 1e-9 // of the Newton decrement, in log-likelihood a row
)

// solve runs Newton's method with step halving from zero weights, one thread in the order of the rows: the same rows
// give the same bits on the same machine. The problem is strictly convex (up to the intercept), so it converges from
// anywhere; a start only saves steps.
func (p *problem) solve(start []float64) ([]float64, error) {
	n := len(p.penalty) + 1
	weights := make([]float64, n)
	copy(weights, start)
	loss := p.loss(weights)
	for range maxSteps {
		gradient, hessian := p.derivatives(weights)
		if err := cholesky(hessian, n); err != nil {
			return nil, err
		}
		step := solveTriangular(hessian, gradient, n)
		decrement := 0.0
		for i := range step {
			decrement += step[i] * gradient[i]
		}
		size := 1.0
		for ; size > smallestStep; size /= 2 {
			next := make([]float64, n)
			for i := range next {
				next[i] = weights[i] - size*step[i]
			}
			if l := p.loss(next); l < loss {
				weights, loss = next, l
				break
			}
		}
		// No step improves: at the limit of float64. Else the decrement bounds what was still to gain before this step.
		if size <= smallestStep || decrement < tolerance*float64(p.rows) {
			return weights, nil
		}
	}
	return nil, errors.New("no convergence; is a column constant or a penalty zero?")
}

func (p *problem) logOdds(row int, weights []float64) float64 {
	sum := weights[len(weights)-1]
	values := p.valuesOf(row)
	for i, c := range p.columns(row) {
		if values == nil {
			sum += weights[c]
		} else {
			sum += weights[c] * values[i]
		}
	}
	return sum
}

func (p *problem) valuesOf(row int) []float64 {
	if p.values == nil {
		return nil
	}
	return p.values(row)
}

func (p *problem) loss(weights []float64) float64 {
	sum := 0.0
	for row := range p.rows {
		z := p.logOdds(row, weights)
		if p.labels[row] {
			z = -z
		}
		// log(1 + exp(z)) without overflow
		sum += math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	for c, l := range p.penalty {
		sum += l * weights[c] * weights[c] / 2
	}
	return sum
}

// derivatives returns the gradient and the lower triangle of the Hessian, row by row in one slice.
func (p *problem) derivatives(weights []float64) (gradient, hessian []float64) {
	n := len(weights)
	gradient, hessian = make([]float64, n), make([]float64, n*n)
	intercept := int32(n - 1)
	var columns []int32
	var values []float64
	for row := range p.rows {
		z := p.logOdds(row, weights)
		probability := 1 / (1 + math.Exp(-z))
		slope := probability
		if p.labels[row] {
			slope--
		}
		curvature := probability * (1 - probability)
		columns = append(append(columns[:0], p.columns(row)...), intercept)
		values = values[:0]
		if v := p.valuesOf(row); v != nil {
			values = append(append(values, v...), 1)
		}
		for i, a := range columns {
			va := 1.0
			if len(values) > 0 {
				va = values[i]
			}
			gradient[a] += slope * va
			for j, b := range columns[:i+1] {
				vb := va * curvature
				if len(values) > 0 {
					vb *= values[j]
				}
				hessian[int(max(a, b))*n+int(min(a, b))] += vb
			}
		}
	}
	for c, l := range p.penalty {
		gradient[c] += l * weights[c]
		hessian[c*n+c] += l
	}
	return gradient, hessian
}

// cholesky replaces the lower triangle of a symmetric positive definite matrix by its factor.
func cholesky(m []float64, n int) error {
	for i := range n {
		for j := range i + 1 {
			sum := m[i*n+j]
			a, b := m[i*n:i*n+j], m[j*n:j*n+j]
			for k := range a {
				sum -= a[k] * b[k]
			}
			switch {
			case i != j:
				m[i*n+j] = sum / m[j*n+j]
			case sum <= 0:
				return errors.New("singular matrix; a column needs a penalty")
			default:
				m[i*n+i] = math.Sqrt(sum)
			}
		}
	}
	return nil
}

// solveTriangular solves L * L' * x = b for the factor of cholesky.
func solveTriangular(l, b []float64, n int) []float64 {
	x := make([]float64, n)
	for i := range n {
		sum := b[i]
		for k := range i {
			sum -= l[i*n+k] * x[k]
		}
		x[i] = sum / l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		sum := x[i]
		for k := i + 1; k < n; k++ {
			sum -= l[k*n+i] * x[k]
		}
		x[i] = sum / l[i*n+i]
	}
	return x
}
